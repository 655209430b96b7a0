//! TLS at the edge: certificates from files, which may be replaced while the server runs.

use std::{
    fmt, io,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Duration, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::limits::TLS_HANDSHAKE_MS_MAX;

/// Where the certificate of the server is, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and those that lead from it to one that clients trust.
    pub certificates: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Why the server has no certificate to show. Whoever wrote the files is at fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read, or is no PEM.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// There is no certificate in the file.
    #[error("{} holds no certificate", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The key is of no use, or does not belong to the certificate.
    #[error("the key does not fit the certificate")]
    Key(#[from] rustls::Error),
}

/// Speaks TLS with those who connect.
#[derive(Clone)]
pub(crate) struct Terminator {
    acceptor: TlsAcceptor,
    shown: Arc<Shown>,
}

/// The certificate that is shown.
#[derive(Debug)]
struct Shown {
    files: TlsFiles,
    provider: Arc<CryptoProvider>,
    now: RwLock<Arc<CertifiedKey>>,
}

impl fmt::Debug for Terminator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminator").field("files", &self.shown.files).finish_non_exhaustive()
    }
}

impl Terminator {
    pub(crate) fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let now = RwLock::new(Arc::new(read(&files, &provider)?));
        let shown = Arc::new(Shown { files, provider: Arc::clone(&provider), now });
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&shown) as _);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), shown })
    }

    /// Reads the files again. Where that fails the certificate stays that was shown before.
    pub(crate) fn reload(&self) -> Result<(), TlsError> {
        let read = Arc::new(read(&self.shown.files, &self.shown.provider)?);
        *self.shown.now.write().unwrap_or_else(PoisonError::into_inner) = read;
        Ok(())
    }

    /// Agrees on keys with whoever has connected, within a time.
    pub(crate) async fn accept<S>(&self, tcp: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let wait = Duration::from_millis(TLS_HANDSHAKE_MS_MAX);
        timeout(wait, self.acceptor.accept(tcp)).await.map_err(|_| io::ErrorKind::TimedOut)?
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn read(files: &TlsFiles, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let TlsFiles { certificates: path, key } = files;
    let problem = |path: &PathBuf| {
        let path = path.clone();
        |source| TlsError::Read { path, source }
    };
    let certificates = CertificateDer::pem_file_iter(path).map_err(problem(path))?;
    let certificates: Vec<_> = certificates.collect::<Result<_, _>>().map_err(problem(path))?;
    if certificates.is_empty() {
        return Err(TlsError::Empty { path: path.clone() });
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(problem(key))?;
    Ok(CertifiedKey::from_der(certificates, key, provider)?)
}
