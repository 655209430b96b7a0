//! The limit on open files: thousands of connections are as many files here, and as many in the server.

use std::io;

/// Open files that the largest workload needs, with room for the rest.
const OPEN_FILES: u32 = 16_384;

/// Starts this program again with a higher limit if the system allows; servers started from it inherit the limit.
///
/// # Errors
///
/// Any error of starting the shell that does it.
#[cfg(unix)]
pub(crate) fn raise() -> io::Result<()> {
    use std::env;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    /// Set for the program that was started again, so that it is not started a third time.
    const RAISED: &str = "SYNCLINE_BENCH_LIMIT_RAISED";

    if env::var_os(RAISED).is_some() {
        return Ok(());
    }
    let script =
        format!("ulimit -n {OPEN_FILES} 2>/dev/null || ulimit -n $(ulimit -H -n); exec \"$0\" \"$@\"");
    let mut again = Command::new("sh");
    again.args(["-c", &script]).arg(env::current_exe()?).args(env::args_os().skip(1)).env(RAISED, "1");
    Err(again.exec())
}

/// Leaves the limit as it is.
///
/// # Errors
///
/// None.
#[cfg(not(unix))]
pub(crate) fn raise() -> io::Result<()> {
    let _ = OPEN_FILES;
    Ok(())
}
