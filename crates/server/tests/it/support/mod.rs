//! What every test here needs.

pub(crate) mod automerge;
pub(crate) mod bearers;
pub(crate) mod certificates;
pub(crate) mod client;
pub(crate) mod disk;
pub(crate) mod handler;
pub(crate) mod hocuspocus;
pub(crate) mod raw;
pub(crate) mod signer;
pub(crate) mod told;
pub(crate) mod updates;

use std::{error::Error, time::Duration};

use syncline_server::{Config, Server};

use self::disk::Disk;

/// Ends a test that waits in vain.
pub(crate) async fn within<T>(test: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), test).await.expect("what the test waits for never came")
}

/// Starts a server on `disk`.
pub(crate) async fn start(disk: &Disk) -> Server {
    start_with(disk, |_| {}).await
}

/// Starts a server on `disk` with other settings.
pub(crate) async fn start_with(disk: &Disk, set: impl FnOnce(&mut Config)) -> Server {
    let mut config = Config::default();
    set(&mut config);
    Server::start(config, Box::new(disk.clone())).await.expect("loopback has a free port")
}

/// Returns what an error says, and what those behind it say.
pub(crate) fn chain(error: &dyn Error) -> String {
    let errors = std::iter::successors(Some(error), |&error| error.source());
    errors.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
