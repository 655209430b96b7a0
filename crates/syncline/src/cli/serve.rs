//! `syncline serve`.

use std::{
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

use syncline::{
    server::{STACK_BYTES, Server},
    store::sled_store::SledStore,
};
use tokio::signal::unix::{SignalKind, signal};

use super::{
    Outcome, folder, logging,
    settings::{ServeArgs, Settings},
};

pub(crate) const EXAMPLES: &str = "\
Without an authentication configuration the server listens on this machine only.

Examples:
  syncline serve
  syncline serve --listen 127.0.0.1:0 --data-dir notes --memory-mb 512
  syncline serve --allow-origin https://notes.example --allow-origin https://beta.notes.example
  SYNCLINE_LOG_FORMAT=json syncline serve --config /etc/syncline.toml";

/// Runs the server until it is told to stop.
pub(crate) fn run(args: ServeArgs) -> Outcome {
    let settings = args.settings()?;
    logging::start(&settings.log, settings.log_format)?;
    let store = folder::open(&settings.data_dir)?;
    log_vacuum(&store);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_stack_size(STACK_BYTES)
        .thread_name("syncline")
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(serve(settings, store));
    // What still runs is a decoding that nobody waits for any more.
    runtime.shutdown_background();
    outcome
}

async fn serve(settings: Settings, store: SledStore) -> Outcome {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut reload = signal(SignalKind::hangup())?;
    let mut server = Server::start(settings.server, Box::new(store)).await?;
    // Scripts read the port from this line; that nobody reads it is no reason to stop.
    let scheme = if server.speaks_tls() { "https" } else { "http" };
    let _ = writeln!(io::stdout(), "listening on {scheme}://{}", server.addr());

    let code = loop {
        tokio::select! {
            _ = terminate.recv() => break ExitCode::SUCCESS,
            _ = interrupt.recv() => break ExitCode::SUCCESS,
            () = server.ended() => break ExitCode::FAILURE,
            _ = reload.recv() => match server.reload_certificate() {
                Ok(()) => tracing::info!("the certificate was read again"),
                Err(error) => tracing::error!(error = &error as &dyn Error, "the certificate stays as it was"),
            },
        }
    };
    tracing::info!("stopping");
    tokio::select! {
        () = server.shutdown() => Ok(code),
        _ = terminate.recv() => Err("stopped at once by a second signal".into()),
        _ = interrupt.recv() => Err("stopped at once by a second signal".into()),
    }
}

fn log_vacuum(store: &SledStore) {
    match store.vacuum_at_open() {
        None => {}
        Some(Ok(done)) => tracing::info!(
            before_bytes = done.before.disk_bytes,
            after_bytes = done.after.disk_bytes,
            "the data folder was rewritten"
        ),
        Some(Err(error)) => tracing::warn!(%error, "the data folder could not be rewritten"),
    }
}
