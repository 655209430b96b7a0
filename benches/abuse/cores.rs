//! Which cores the server has, and which everyone else.

use std::ffi::OsStr;
use std::fs;
use std::process::{self, Command, Stdio};
use std::thread;

use crate::load::machine;

/// How the cores are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cores {
    /// The server has the first one to itself, and everyone else has the others: who abuses it takes no time from it but what it
    /// spends on them.
    Apart,
    /// The server is on the first one, and everyone else is where they find time: there is no other, or they stay where they are.
    Mixed,
    /// The system has no `taskset`.
    Free,
}

impl Cores {
    /// Leaves the first core to the server. To be called before there are threads, which stay where the first one is.
    pub(crate) fn divide() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        if !does(&["-c", "0", "true"]) {
            return Self::Free;
        }
        let (others, own) = (format!("1-{}", cores - 1), process::id().to_string());
        if cores > 1 && does(&["-p", "-c", &others, &own]) { Self::Apart } else { Self::Mixed }
    }

    /// Returns how a server is started.
    pub(crate) fn server(self, program: impl AsRef<OsStr>) -> Command {
        if self == Self::Free {
            return Command::new(program);
        }
        let mut command = Command::new("taskset");
        command.args(["-c", "0"]).arg(program);
        command
    }

    /// Returns what is to be said of it.
    pub(crate) fn line(self) -> &'static str {
        match self {
            Self::Apart => "server: on one core of its own, by taskset; everyone else on the others",
            Self::Mixed => "server: on one core, by taskset, beside everyone else",
            Self::Free => "server: on all cores, since there is no taskset, beside everyone else",
        }
    }
}

/// Returns for how many seconds a process has been at work, on all cores together, where the system has `/proc`.
pub(crate) fn seconds_at_work(process: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name of the process is in brackets, and may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let [user, system] = [11, 12].map(|at| fields.get(at)?.parse::<f64>().ok());
    let ticks_a_second: f64 = machine::said("getconf", &["CLK_TCK"]).parse().ok()?;
    Some((user? + system?) / ticks_a_second)
}

fn does(args: &[&str]) -> bool {
    let mut taskset = Command::new("taskset");
    taskset.args(args).stdout(Stdio::null()).stderr(Stdio::null());
    taskset.status().is_ok_and(|status| status.success())
}
