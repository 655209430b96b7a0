//! Replicated types beside those of the crate `crdts`, on the same work, in one process for each row.
//!
//! `cargo bench -p syncline --bench crdt -- [--quick] [FILTER]`

mod catch_up;
mod clocks;
mod set;
mod table;

use std::{env, io, process::Command};

use table::{HEAD, Samples, Work};

/// Says which row a process is for, and nothing else.
const ROW: &str = "SYNCLINE_BENCH_ROW";

fn main() -> io::Result<()> {
    let args: Vec<String> = env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let (flags, filters): (Vec<String>, Vec<String>) = args.into_iter().partition(|arg| arg.starts_with('-'));
    let samples = Samples(if flags.iter().any(|flag| flag == "--quick") { 5 } else { 51 });
    let work: Vec<Work> = [clocks::work(), set::work(), catch_up::work()].into_iter().flatten().collect();
    if let Ok(row) = env::var(ROW) {
        for Work { name, size, measure } in work.iter().filter(|work| work.name == row) {
            println!("| {name} | {}", measure(samples, *size));
        }
        return Ok(());
    }
    println!("{HEAD}");
    for Work { name, .. } in &work {
        if filters.iter().all(|filter| name.contains(filter)) {
            // What one row leaves behind, a heap in pieces, is not there for the next.
            let status = Command::new(env::current_exe()?).args(&flags).env(ROW, name).status()?;
            if !status.success() {
                return Err(io::Error::other(format!("{name}: {status}")));
            }
        }
    }
    Ok(())
}
