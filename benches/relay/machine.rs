//! What the numbers were measured on, as far as the system tells.

use crate::dialect::Dialect;
use crate::load::machine;
use crate::load::process::data_dir;
use crate::server;

/// Returns a line each for the machine, the disk and the servers.
pub(crate) fn lines() -> Vec<String> {
    let mut lines = machine::lines(&data_dir(server::FOLDER));
    lines.push(reference(Dialect::YWebsocket, "@y/websocket-server"));
    lines.push(reference(Dialect::Hocuspocus, "@hocuspocus/server"));
    lines
}

fn reference(dialect: Dialect, package: &str) -> String {
    format!(
        "reference of {}: {package} {} on node {}, in memory only",
        dialect.name(),
        machine::package_version(&server::peer(dialect), package),
        machine::said(server::node(dialect), &["--version"])
    )
}
