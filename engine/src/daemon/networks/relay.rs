//! Published ports whose two sides are of different families: the engine passes on what no rule can translate.
//!
//! It is what Docker's userland proxy is for. Everything else is translated by the kernel and comes by here never.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use kernel::reservation::Reservation;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::{AbortHandle, JoinSet};

use crate::network::ports::{self, Protocol, Publication};
use crate::stage::Stage;

/// How many callers wait, and how many connections or senders are served at a time, for each port.
const BACKLOG: u16 = 128;
const MOST: usize = 1024;
/// How long a sender of datagrams may be silent before it is forgotten; Docker's.
const SILENCE: Duration = Duration::from_secs(90);
/// How long an ended relay may take to close its sockets before nobody waits any more.
const ENDING: Duration = Duration::from_secs(1);
/// The largest datagram.
const DATAGRAM: usize = 65535;

/// A relayed port; dropping it ends its connections and frees the port.
#[derive(Debug)]
pub(super) struct Relay {
    task: AbortHandle,
    /// Disconnected once the sockets are closed.
    ended: Receiver<()>,
}

impl Relay {
    /// Begins to listen. Called within the async runtime.
    pub(super) fn start(
        stage: &Stage,
        reservation: Reservation,
        publication: &Publication,
    ) -> std::io::Result<Self> {
        let socket = reservation
            .into_socket(BACKLOG)
            .map_err(std::io::Error::other)?;
        let target = SocketAddr::new(publication.address, publication.port);
        let way = Way {
            stage: stage.clone(),
            target,
        };
        let runtime = tokio::runtime::Handle::current();
        let _inside = runtime.enter();
        let (alive, ended) = std::sync::mpsc::channel();
        let task = match publication.protocol {
            Protocol::Tcp => {
                let listener = listener(socket)?;
                runtime.spawn(async move {
                    let _alive: Sender<()> = alive;
                    streams(listener, way).await;
                })
            }
            Protocol::Udp => {
                let socket = Arc::new(datagram(socket)?);
                runtime.spawn(async move {
                    let _alive: Sender<()> = alive;
                    datagrams(socket, way).await;
                })
            }
            Protocol::Sctp => return Err(std::io::ErrorKind::Unsupported.into()),
        };
        Ok(Self {
            task: task.abort_handle(),
            ended,
        })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
        // The runtime drops the task when it comes to it, and only then the port is free.
        let _ = self.ended.recv_timeout(ENDING);
    }
}

fn listener(socket: OwnedFd) -> std::io::Result<TcpListener> {
    TcpListener::from_std(std::net::TcpListener::from(socket))
}

fn datagram(socket: OwnedFd) -> std::io::Result<UdpSocket> {
    UdpSocket::from_std(std::net::UdpSocket::from(socket))
}

/// Where to.
#[derive(Clone, Debug)]
struct Way {
    stage: Stage,
    target: SocketAddr,
}

impl Way {
    async fn connect(&self) -> std::io::Result<TcpStream> {
        if self.stage == Stage::Host {
            return TcpStream::connect(self.target).await;
        }
        let way = self.clone();
        let made = tokio::task::spawn_blocking(move || ports::connect(&way.stage, way.target));
        TcpStream::from_std(made.await?.map_err(std::io::Error::other)?)
    }

    async fn towards(&self) -> std::io::Result<UdpSocket> {
        let way = self.clone();
        let made = tokio::task::spawn_blocking(move || ports::towards(&way.stage, way.target));
        UdpSocket::from_std(made.await?.map_err(std::io::Error::other)?)
    }
}

async fn streams(listener: TcpListener, way: Way) {
    // Ends with this task, and all that it has begun with it.
    let mut begun = JoinSet::new();
    loop {
        while begun.try_join_next().is_some() {}
        if begun.len() >= MOST {
            begun.join_next().await;
        }
        match listener.accept().await {
            Ok((mut caller, _)) => {
                let way = way.clone();
                begun.spawn(async move {
                    // A container that does not listen: the caller's connection ends, as it would there.
                    if let Ok(mut container) = way.connect().await {
                        let both = tokio::io::copy_bidirectional(&mut caller, &mut container);
                        let _ = both.await;
                    }
                });
            }
            // No descriptors are left: somebody must end first.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn datagrams(socket: Arc<UdpSocket>, way: Way) {
    let mut begun = JoinSet::new();
    let mut senders: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
    let mut buffer = vec![0; DATAGRAM];
    loop {
        tokio::select! {
            received = socket.recv_from(&mut buffer) => {
                // An error is about a sender that is gone.
                let Ok((length, sender)) = received else { continue };
                if !senders.contains_key(&sender) {
                    if senders.len() >= MOST {
                        continue;
                    }
                    let Ok(container) = way.towards().await else { continue };
                    let container = Arc::new(container);
                    begun.spawn(answers(Arc::clone(&socket), Arc::clone(&container), sender));
                    senders.insert(sender, container);
                }
                if let Some(container) = senders.get(&sender) {
                    let _ = container.send(&buffer[..length]).await;
                }
            }
            Some(ended) = begun.join_next() => {
                if let Ok(sender) = ended {
                    senders.remove(&sender);
                }
            }
        }
    }
}

/// Passes back what a container answers one sender, until both are silent.
async fn answers(
    socket: Arc<UdpSocket>,
    container: Arc<UdpSocket>,
    sender: SocketAddr,
) -> SocketAddr {
    let mut buffer = vec![0; DATAGRAM];
    loop {
        match tokio::time::timeout(SILENCE, container.recv(&mut buffer)).await {
            Ok(Ok(length)) => drop(socket.send_to(&buffer[..length], sender).await),
            // It does not listen now; the next datagram may find it.
            Ok(Err(_)) => {}
            Err(_) => return sender,
        }
    }
}
