//! `quai registry`: opens the data, listens, serves until it is told to stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use clap::Parser;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::store::StoreError;

use super::auth::{Gate, HtpasswdError};
use super::routes::{Access, Limits, Registry, router};
use super::storage::Storage;
use super::upload::Uploads;

/// Connections at once.
const CONNECTIONS: usize = 512;
/// Longest time for the head of a request, or for TLS to agree.
const PATIENCE: Duration = Duration::from_secs(30);

/// Words of `quai registry`.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "quai registry",
    about = "A registry of your own (OCI distribution 1.1)"
)]
pub struct RegistryArgs {
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1:5000")]
    pub listen: SocketAddr,
    /// Where images are kept
    #[arg(long, default_value = "/var/lib/quai/registry")]
    pub data: PathBuf,
    /// File of names and passwords (`htpasswd -B`); without it everybody may pull and push
    #[arg(long)]
    pub htpasswd: Option<PathBuf>,
    /// Certificate chain (PEM): speak TLS
    #[arg(long, requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Key of the certificate (PEM)
    #[arg(long, requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Refuse pushes and deletions
    #[arg(long)]
    pub read_only: bool,
    /// Largest blob in bytes
    #[arg(long, default_value_t = 16 << 30)]
    pub max_blob: u64,
    /// Print a line for the password file and end; the password is read from stdin
    #[arg(long, value_name = "NAME")]
    pub password_for: Option<String>,
}

/// A registry that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The data cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The password file cannot be used.
    #[error(transparent)]
    Htpasswd(#[from] HtpasswdError),
    /// A certificate or key cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// Certificate and key do not fit.
    #[error("cannot use the certificate: {0}")]
    Tls(#[from] rustls::Error),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Signals cannot be received.
    #[error("cannot receive signals: {0}")]
    Signals(std::io::Error),
    /// Another registry uses the folder.
    #[error("another registry already uses {}: stop it, or choose another --data", .0.display())]
    Busy(PathBuf),
}

/// Serves until SIGTERM or SIGINT; `ready` is told the address.
pub async fn run(args: RegistryArgs, mut ready: impl FnMut(SocketAddr)) -> Result<(), ServeError> {
    std::fs::create_dir_all(&args.data)
        .map_err(|source| StoreError::io("make", &args.data, source))?;
    let _lock =
        kernel::lock::FileLock::try_now(&args.data.join("registry.lock")).map_err(|error| {
            match error.source.kind() {
                std::io::ErrorKind::WouldBlock => ServeError::Busy(args.data.clone()),
                _ => ServeError::Store(error.into()),
            }
        })?;
    let gate = match &args.htpasswd {
        Some(path) => Gate::with_file(path)?,
        None => Gate::open(),
    };
    let access = if args.read_only {
        Access::ReadOnly
    } else {
        Access::ReadWrite
    };
    let registry = Arc::new(Registry {
        storage: Storage::open(&args.data)?,
        uploads: Uploads::default(),
        gate,
        limits: Limits {
            blob: args.max_blob,
            access,
        },
    });
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(certificate), Some(key)) => Some(acceptor(certificate, key)?),
        _ => None,
    };
    let listen = |source| ServeError::Listen {
        address: args.listen,
        source,
    };
    let listener = TcpListener::bind(args.listen).await.map_err(listen)?;
    ready(listener.local_addr().map_err(listen)?);
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Signals)?;
    tokio::select! {
        () = accept(listener, tls, router(registry)) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

fn acceptor(certificate: &PathBuf, key: &PathBuf) -> Result<TlsAcceptor, ServeError> {
    let pem = |path: &PathBuf| {
        let path = path.clone();
        move |source| ServeError::Pem { path, source }
    };
    let chain: Vec<_> = CertificateDer::pem_file_iter(certificate)
        .map_err(pem(certificate))?
        .collect::<Result<_, _>>()
        .map_err(pem(certificate))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(pem(key))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, router: axum::Router) {
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // Whoever comes when all places are taken waits in the kernel's queue.
        let Ok(place) = Arc::clone(&free).acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, most likely: waiting gives connections the time to end.
                tracing::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (tls, router) = (tls.clone(), router.clone());
        tokio::spawn(async move {
            let _place = place;
            match tls {
                None => serve(stream, router).await,
                Some(tls) => match tokio::time::timeout(PATIENCE, tls.accept(stream)).await {
                    Ok(Ok(stream)) => serve(stream, router).await,
                    Ok(Err(error)) => tracing::debug!("no TLS: {error}"),
                    Err(_) => tracing::debug!("no TLS in time"),
                },
            }
        });
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, router: axum::Router) {
    let inner = TowerToHyperService::new(router);
    let service = service_fn(move |request: Request<Incoming>| inner.call(request.map(Body::new)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!("a connection ended: {error}");
    }
}
