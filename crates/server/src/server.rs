//! Starting and stopping.

use std::{io, net::SocketAddr, sync::Arc};

use syncline_core::{entity::TypeName, hook::HookName, id::TenantName};
use syncline_store::{Store, committer::Committer, metered::Metered};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    config::Config,
    entities::finish_erasures,
    hooks::{HookError, HookSet},
    http,
    keeper::{self, BeginError},
    listener, lobby,
    outgoing::Trust,
    quota::Usage,
    shared::Shared,
    tls::{Terminator, TlsError},
};

/// A server that is running.
///
/// It runs on the tokio runtime that it was started on. Build that with [`STACK_BYTES`](crate::STACK_BYTES) as
/// `thread_stack_size`: documents are decoded and changed on its threads, and yrs recurses over nested types.
///
/// Dropping a server does not stop it: call [`shutdown`](Self::shutdown).
#[derive(Debug)]
pub struct Server {
    addr: SocketAddr,
    tls: Option<Terminator>,
    stopping: tokio_util::sync::CancellationToken,
    running: JoinHandle<()>,
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Anyone on the network could read and write every document.
    #[error(
        "{listen} can be reached from other machines, and no authentication is configured; listen on a loopback \
         address such as 127.0.0.1, or allow it with --insecure-listen-anywhere"
    )]
    NotLoopback {
        /// Where it should have listened.
        listen: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {listen}")]
    Listen {
        /// Where it should have listened.
        listen: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// There is no certificate to show.
    #[error("cannot speak TLS")]
    Tls(#[from] TlsError),
    /// The handler of a type cannot be asked.
    #[error("the type `{name}` cannot be declared so")]
    Handler {
        /// The type.
        name: TypeName,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Who is asked about conflicts cannot be asked.
    #[error("nobody can be asked about conflicts so")]
    Suggest {
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Who is asked what no grant allows, cannot be asked.
    #[error("nobody can be asked about rights so")]
    Webhook {
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An application cannot be told of documents.
    #[error("the hook `{name}` makes no sense")]
    Hook {
        /// Which.
        name: HookName,
        /// What is wrong with it.
        source: HookError,
    },
    /// Who says whose devices are, cannot be asked.
    #[error("nobody can be asked about devices so")]
    Devices {
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store's thread did not start.
    #[error("cannot start the store's thread")]
    Thread {
        /// What the system says.
        source: io::Error,
    },
    /// The store could not be read or written.
    #[error("cannot use the store")]
    Store {
        /// What it says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Server {
    /// Starts a server on `store`, which it owns until it is shut down.
    ///
    /// # Errors
    /// [`StartError`]; nothing is running then.
    pub async fn start(config: Config, store: Box<dyn Store>) -> Result<Self, StartError> {
        let listen = config.listen;
        let asks_token = config.authenticator.is_some();
        if !listen.ip().is_loopback() && !asks_token && !config.insecure_listen_anywhere {
            return Err(StartError::NotLoopback { listen });
        }
        let trust = Trust::load(config.trust.as_deref())?;
        let hooks = HookSet::new(&config.hooks, &trust);
        let hooks = hooks.map_err(|(name, source)| StartError::Hook { name, source })?;
        let tls = config.tls.clone().map(Terminator::load).transpose()?;
        let listener =
            TcpListener::bind(listen).await.map_err(|source| StartError::Listen { listen, source })?;
        let addr = listener.local_addr().map_err(|source| StartError::Listen { listen, source })?;

        let shared = Shared::new(&config, trust, hooks);
        let shared = Arc::new(shared.map_err(|error| StartError::Webhook { source: Box::new(error) })?);
        for ty in &shared.types {
            let checked = shared.handlers.check(&TenantName::default(), ty);
            checked
                .map_err(|error| StartError::Handler { name: ty.name.clone(), source: Box::new(error) })?;
        }
        let checked = shared.handlers.check_server();
        checked.map_err(|error| StartError::Suggest { source: Box::new(error) })?;
        shared.devices.check().map_err(|error| StartError::Devices { source: Box::new(error) })?;
        let store = metered(without_erased(store).await?, &shared.usage).await?;
        let observer = shared.metrics.commit_observer();
        let committer = Committer::start(store, observer).map_err(|source| StartError::Thread { source })?;
        let epoch = keeper::open_first(&shared, &committer.handle()).await.map_err(store_error)?;
        if asks_token {
            tracing::info!(%addr, "serving whoever has a token, each the tenant that it says");
        } else {
            tracing::info!(
                %addr,
                "no authentication is configured: serving one tenant, to everyone who can reach this address"
            );
        }

        let router = http::router(Arc::clone(&shared));
        let keeper = keeper::keep(Arc::clone(&shared), committer, epoch);
        shared.connections.spawn(lobby::run(Arc::clone(&shared)));
        let accepting = listener::accept(listener, tls.clone(), router, Arc::clone(&shared));
        let stopping = shared.stopping.clone();
        let running = tokio::spawn(async move {
            tokio::join!(accepting, async {
                keeper.await;
                // The keeper also ends when the store is lost for good.
                shared.stopping.cancel();
            });
        });
        Ok(Self { addr, tls, stopping, running })
    }

    /// Returns where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Reads the certificate again, for connections to come. Without TLS it does nothing.
    ///
    /// # Errors
    /// [`TlsError`]; the certificate stays that was shown before.
    pub fn reload_certificate(&self) -> Result<(), TlsError> {
        self.tls.as_ref().map_or(Ok(()), Terminator::reload)
    }

    /// Returns whether it speaks TLS.
    #[must_use]
    pub fn speaks_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Waits until the server has ended by itself, because its store is lost. It may be called again.
    pub async fn ended(&mut self) {
        self.stopping.cancelled().await;
    }

    /// Stops the server: accepts nothing more, stores what was taken in, acknowledges it, closes every connection
    /// with code 1012, and closes the store. It takes at most about eight seconds, whatever the clients do.
    pub async fn shutdown(self) {
        self.stopping.cancel();
        if let Err(error) = self.running.await {
            tracing::error!(%error, "the server did not stop cleanly");
        }
    }
}

fn store_error(error: BeginError) -> StartError {
    StartError::Store { source: Box::new(error) }
}

/// Has it counted how much each tenant has stored, if a quota asks for that.
async fn metered(store: Box<dyn Store>, usage: &Usage) -> Result<Box<dyn Store>, StartError> {
    if !usage.counts_stored() {
        return Ok(store);
    }
    let counted = tokio::task::spawn_blocking(move || Metered::new(store));
    let counted = counted.await.map_err(|error| StartError::Store { source: Box::new(error) })?;
    let counted = counted.map_err(|error| StartError::Store { source: Box::new(error) })?;
    usage.stored_is_counted(counted.stored());
    Ok(Box::new(counted))
}

/// Has no file hold what was erased before. Should that fail, the server serves all the same, and the next start tries again.
async fn without_erased(mut store: Box<dyn Store>) -> Result<Box<dyn Store>, StartError> {
    let finished = tokio::task::spawn_blocking(move || {
        let finished = finish_erasures(&mut *store);
        (store, finished)
    });
    let (store, finished) = finished.await.map_err(|error| StartError::Store { source: Box::new(error) })?;
    match finished {
        Ok(None) => {}
        Ok(Some(_)) => tracing::info!("the data folder was rewritten without what was erased"),
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "files may still hold what was erased");
        }
    }
    Ok(store)
}
