//! The log, on stderr.

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, filter::ParseError, fmt};

use super::settings::LogFormat;

/// Logs what `filter` lets through from now on.
///
/// # Errors
/// If `filter` is neither a level nor a list of filters.
pub(crate) fn start(filter: &str, format: LogFormat) -> Result<(), ParseError> {
    let log = fmt().with_env_filter(EnvFilter::try_new(filter)?).with_writer(io::stderr);
    match format {
        LogFormat::Text => log.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    Ok(())
}
