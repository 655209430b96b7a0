//! The log, on stderr.

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, filter::ParseError, fmt};

use super::settings::LogFormat;

/// Levels that may be given for the whole of Syncline.
const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// Logs what `filter` lets through from now on. A level is meant for Syncline; the libraries below it log their
/// warnings only, since what they trace holds what people write.
///
/// # Errors
/// If `filter` is neither a level nor a list of filters.
pub(crate) fn start(filter: &str, format: LogFormat) -> Result<(), ParseError> {
    let is_level = LEVELS.iter().any(|level| level.eq_ignore_ascii_case(filter));
    let filter = if is_level { format!("warn,syncline={filter}") } else { filter.to_owned() };
    let log = fmt().with_env_filter(EnvFilter::try_new(filter)?).with_writer(io::stderr);
    match format {
        LogFormat::Text => log.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    Ok(())
}
