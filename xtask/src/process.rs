//! Running other programs: where, how, and what the reader of the terminal sees of it.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// Returns the root of the repository.
pub(crate) fn root() -> PathBuf {
    let manifest_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest_dir.parent().expect("xtask lies one folder below the root").to_owned()
}

/// Returns a command that runs cargo in the root of the repository.
///
/// It is the `cargo` on the `PATH`, so that rustup's proxy understands `+nightly`.
pub(crate) fn cargo<S: AsRef<str>>(args: impl IntoIterator<Item = S>) -> Command {
    program("cargo", args)
}

/// Returns a command that runs `name` in the root of the repository.
pub(crate) fn program<S: AsRef<str>>(name: &str, args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root());
    for arg in args {
        command.arg(arg.as_ref());
    }
    command
}

/// Prints the command as one would type it, runs it to its end, and shows what it prints.
///
/// # Errors
///
/// Says which program could not start, or with what status it ended.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    announce(command);
    let status = command.status().map_err(|problem| not_started(command, &problem))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` ended with {status}", name(command))) }
}

/// Runs a command to its end and returns the last line of its output that is not empty.
///
/// # Errors
///
/// As [`run`]; also if it printed nothing.
pub(crate) fn last_line(command: &mut Command) -> Result<String, String> {
    announce(command);
    let output =
        command.stderr(Stdio::inherit()).output().map_err(|problem| not_started(command, &problem))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        print!("{text}");
        return Err(format!("`{}` ended with {}", name(command), output.status));
    }
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    last.map(str::to_owned).ok_or_else(|| format!("`{}` printed nothing", name(command)))
}

/// Returns whether `name args…` runs and succeeds; its output is dropped.
pub(crate) fn succeeds(name: &str, args: &[&str]) -> bool {
    let status =
        program(name, args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Turns this process into the command, so that signals reach it and its exit code is ours.
///
/// # Errors
///
/// Says why the program could not start.
#[cfg(unix)]
pub(crate) fn become_command(command: &mut Command) -> Result<ExitCode, String> {
    use std::os::unix::process::CommandExt;

    announce(command);
    let problem = command.exec();
    Err(not_started(command, &problem))
}

/// Runs the command to its end and passes on its exit code; Ctrl-C reaches every process of the console by itself.
///
/// # Errors
///
/// Says why the program could not start.
#[cfg(not(unix))]
pub(crate) fn become_command(command: &mut Command) -> Result<ExitCode, String> {
    announce(command);
    let status = command.status().map_err(|problem| not_started(command, &problem))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Prints to stderr, since the output of a command may be piped elsewhere.
fn announce(command: &Command) {
    let mut line = String::from("$");
    for (key, value) in command.get_envs() {
        if let Some(value) = value {
            line += &format!(" {}={}", key.display(), quoted(&value.to_string_lossy()));
        }
    }
    line += &format!(" {}", name(command));
    for arg in command.get_args() {
        line += &format!(" {}", quoted(&arg.to_string_lossy()));
    }
    eprintln!("{line}");
}

fn quoted(word: &str) -> String {
    if word.is_empty() || word.contains(char::is_whitespace) { format!("'{word}'") } else { word.to_owned() }
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

fn not_started(command: &Command, problem: &std::io::Error) -> String {
    format!("cannot start `{}`: {problem}", name(command))
}
