//! `quai engine`: opens the daemon, listens, serves until it is told to stop.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Request, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::TlsAcceptor;

use crate::daemon::{API_VERSION, Config, Daemon, DaemonError, Host};

use super::peer::{Peer, Speech};
use super::quiet::Quiet;
use super::tls::{self, TlsError};
use super::{routes, socket_group, version};

/// An engine that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The state cannot be opened.
    #[error(transparent)]
    Daemon(#[from] DaemonError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// The certificates cannot be used.
    #[error("invalid TLS configuration: {0}")]
    Tls(#[from] TlsError),
    /// The process id cannot be written.
    #[error("cannot write {}: {source}", .path.display())]
    Pidfile {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Signals cannot be received.
    #[error("cannot receive signals: {0}")]
    Signals(std::io::Error),
}

enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener, Option<TlsAcceptor>),
}

/// How long a client may take to agree on TLS.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who reaches the sockets.
struct Doors<'a> {
    tls: Option<TlsAcceptor>,
    group: Option<&'a str>,
}

/// Serves until SIGTERM or SIGINT; SIGHUP reads `daemon.json` again. Containers go on, unless the configuration says
/// otherwise.
pub async fn run(config: Config, mut ready: impl FnMut(&str)) -> Result<(), ServeError> {
    // Before there is a socket: whoever reaches it may ask us to end, and sockets and pid file must go then.
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Signals)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(ServeError::Signals)?;
    let mut listeners = Vec::new();
    let access = &config.access;
    let doors = Doors {
        tls: access.tls.as_ref().map(tls::acceptor).transpose()?,
        group: access.group.as_deref(),
    };
    for host in &config.hosts {
        if matches!(host, Host::Tcp(_))
            && access.tls.as_ref().is_none_or(|tls| tls.clients.is_none())
        {
            tracing::warn!("{host}: whoever reaches this address is root here: see --tlsverify");
        }
        listeners.push(listen(host, &doors).await?);
    }
    let open = Doors {
        tls: None,
        group: None,
    };
    let metrics = match &config.life.metrics_addr {
        Some(address) => Some(listen(&Host::Tcp(address.clone()), &open).await?),
        None => None,
    };
    let pidfile = config.pidfile.clone();
    let daemon = match Daemon::open(config).await {
        Ok(daemon) => daemon,
        Err(error) => {
            for (_, _, socket) in &listeners {
                // Nobody will ever answer there.
                drop(socket.as_ref().map(std::fs::remove_file));
            }
            return Err(error.into());
        }
    };
    if let Some(path) = &pidfile {
        std::fs::write(path, format!("{}\n", std::process::id())).map_err(|source| {
            ServeError::Pidfile {
                path: path.clone(),
                source,
            }
        })?;
    }
    let quiet = Quiet::begin();
    // What was read at the start is done with.
    quiet.done();
    if let Some((_, listener, _)) = metrics {
        let router = routes::metrics(Arc::clone(&daemon));
        tokio::spawn(accept(listener, router, quiet.clone()));
    }
    let router = routes::router(Arc::clone(&daemon));
    let mut sockets = Vec::new();
    for (address, listener, socket) in listeners {
        tokio::spawn(accept(listener, router.clone(), quiet.clone()));
        ready(&address);
        sockets.extend(socket);
    }
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => daemon.reload(),
        }
    }
    daemon.end_with_containers().await;
    for path in sockets.iter().chain(&pidfile) {
        // Somebody else may have removed it already.
        let _ = std::fs::remove_file(path);
    }
    Ok(())
}

/// Opens a listening socket; gives how it is called, and the file to remove at the end.
async fn listen(
    host: &Host,
    doors: &Doors<'_>,
) -> Result<(String, Listener, Option<PathBuf>), ServeError> {
    let (address, listener, socket) = match host {
        Host::Unix(path) => {
            let address = path.display().to_string();
            let listener = bind_unix(path).and_then(|listener| {
                socket_group::give(path, doors.group).map(|()| Listener::Unix(listener))
            });
            (address, listener, Some(path.clone()))
        }
        Host::Tcp(address) => (
            address.clone(),
            TcpListener::bind(address)
                .await
                .map(|listener| Listener::Tcp(listener, doors.tls.clone())),
            None,
        ),
        Host::Fd(fd) => (format!("fd {fd}"), inherited(*fd).map(Listener::Unix), None),
    };
    let listener = listener.map_err(|source| ServeError::Listen {
        address: address.clone(),
        source,
    })?;
    Ok((address, listener, socket))
}

/// Binds a socket file; one that nobody listens on any more is replaced.
fn bind_unix(path: &Path) -> std::io::Result<UnixListener> {
    use std::os::unix::fs::PermissionsExt;
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    if path.exists() {
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(std::io::Error::new(
                std::io::ErrorKind::AddrInUse,
                "another engine answers there",
            ));
        }
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

fn inherited(fd: i32) -> std::io::Result<UnixListener> {
    let owned = kernel::inherited::inherited(fd).map_err(|error| error.source)?;
    let listener = std::os::unix::net::UnixListener::from(owned);
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

async fn accept(listener: Listener, router: axum::Router, quiet: Quiet) {
    loop {
        let accepted = match &listener {
            Listener::Unix(listener) => listener
                .accept()
                .await
                .map(|(stream, _)| serve(plain(&stream), stream, &router, quiet.clone())),
            Listener::Tcp(listener, None) => listener
                .accept()
                .await
                .map(|(stream, _)| serve(plain(&stream), stream, &router, quiet.clone())),
            Listener::Tcp(listener, Some(tls)) => listener
                .accept()
                .await
                .map(|(stream, _)| agree(stream, tls.clone(), router.clone(), quiet.clone())),
        };
        if let Err(error) = accepted {
            // Out of descriptors, most likely: waiting gives connections the time to end.
            tracing::warn!("cannot accept a connection: {error}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn plain(stream: &impl AsFd) -> Peer {
    Peer::of(stream, Speech::Plain)
}

/// Serves a client once it has agreed on TLS, without holding up the others.
fn agree(stream: TcpStream, tls: TlsAcceptor, router: axum::Router, quiet: Quiet) {
    tokio::spawn(async move {
        let peer = Peer::of(&stream, Speech::Protected);
        match tokio::time::timeout(PATIENCE, tls.accept(stream)).await {
            Ok(Ok(stream)) => serve(peer, stream, &router, quiet),
            Ok(Err(error)) => tracing::debug!("TLS handshake error: {error}"),
            Err(_) => tracing::debug!("TLS handshake error: not in time"),
        }
    });
}

fn serve(
    peer: Peer,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: &axum::Router,
    quiet: Quiet,
) {
    let inner = TowerToHyperService::new(router.clone());
    let service = service_fn(move |mut request: Request<Incoming>| {
        let inner = inner.clone();
        let peer = peer.clone();
        async move {
            match version::strip(request.uri()) {
                Ok((uri, version)) => {
                    *request.uri_mut() = uri;
                    request.extensions_mut().insert(version);
                    request.extensions_mut().insert(peer);
                }
                Err(error) => return Ok(signed(error.into_response())),
            }
            inner.call(request.map(Body::new)).await.map(signed)
        }
    });
    tokio::spawn(async move {
        let connection = http1::Builder::new()
            .half_close(true)
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!("a connection ended: {error}");
        }
        quiet.done();
    });
}

/// The heads that every answer carries: clients read the version and the system from them.
fn signed(mut response: Response) -> Response {
    let heads = response.headers_mut();
    let value = |text: &'static str| HeaderValue::from_static(text);
    heads.insert("api-version", value(API_VERSION));
    heads.insert("docker-experimental", value("false"));
    heads.insert("ostype", value("linux"));
    heads.insert(
        header::SERVER,
        value(concat!("Docker/", env!("CARGO_PKG_VERSION"), " (linux)")),
    );
    response
}
