//! The resolver of each container in a user-defined network: 127.0.0.11 in its namespace.
//!
//! Sockets are made inside the namespace and served here. They hold the namespace, so they go when the container ends:
//! all tasks of one resolver end with its [`Resolver`].

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::{AbortHandle, JoinSet};

use crate::network::dns::answer::{self, Answer, Way};
use crate::network::dns::socket::{Sockets, Spot};
use crate::network::dns::zone::{View, Zones};

/// How long one server is waited for.
const PATIENCE: Duration = Duration::from_secs(4);
/// How many servers are asked, one after the other.
const SERVERS: usize = 3;
/// How many questions and connections of one container are served at a time.
const MOST: usize = 128;
/// How long a connection may be silent.
const SILENCE: Duration = Duration::from_secs(10);

/// The names that all resolvers share.
pub(super) type Names = Arc<RwLock<Zones>>;

/// What one container may know, and whom it asks about the rest.
#[derive(Clone, Debug, Default)]
pub(super) struct Knowledge {
    pub(super) view: View,
    /// In order; empty where there is no way out.
    pub(super) servers: Vec<SocketAddr>,
}

/// A running resolver; dropping it ends all its tasks and closes its sockets.
#[derive(Debug)]
pub(super) struct Resolver {
    task: AbortHandle,
    knowledge: Arc<RwLock<Knowledge>>,
}

impl Resolver {
    /// Begins to answer. Called within the async runtime.
    pub(super) fn start(spot: Spot, names: Names, knowledge: Knowledge) -> std::io::Result<Self> {
        let Sockets { udp, tcp } = spot.listen().map_err(std::io::Error::other)?;
        let runtime = tokio::runtime::Handle::current();
        let _inside = runtime.enter();
        let knowledge = Arc::new(RwLock::new(knowledge));
        let desk = Desk {
            spot: Arc::new(spot),
            names,
            knowledge: Arc::clone(&knowledge),
        };
        let udp = UdpSocket::from_std(udp)?;
        let tcp = TcpListener::from_std(tcp)?;
        let task = runtime
            .spawn(serve(desk, Arc::new(udp), tcp))
            .abort_handle();
        Ok(Self { task, knowledge })
    }

    /// The container's networks have changed.
    pub(super) fn learn(&self, knowledge: Knowledge) {
        *self.knowledge.write().expect("no panic while holding it") = knowledge;
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Everything that answering takes.
#[derive(Clone, Debug)]
struct Desk {
    spot: Arc<Spot>,
    names: Names,
    knowledge: Arc<RwLock<Knowledge>>,
}

async fn serve(desk: Desk, udp: Arc<UdpSocket>, tcp: TcpListener) {
    // Ends with this task, and all that it has begun with it.
    let mut begun = JoinSet::new();
    // No question is longer.
    let mut buffer = vec![0; 4096];
    loop {
        while begun.try_join_next().is_some() {}
        if begun.len() >= MOST {
            begun.join_next().await;
        }
        tokio::select! {
            received = udp.recv_from(&mut buffer) => {
                // A client that is gone already: the error is about its socket, not ours.
                let Ok((length, client)) = received else { continue };
                match desk.look_up(&buffer[..length], Way::Udp) {
                    Answer::Local(bytes) => drop(udp.send_to(&bytes, client).await),
                    Answer::Nothing => {}
                    Answer::Forward => {
                        let (desk, udp) = (desk.clone(), Arc::clone(&udp));
                        let question = buffer[..length].to_vec();
                        begun.spawn(async move {
                            if let Some(bytes) = desk.ask_by_udp(&question).await {
                                let _ = udp.send_to(&bytes, client).await;
                            }
                        });
                    }
                }
            }
            accepted = tcp.accept() => match accepted {
                Ok((stream, _)) => {
                    let desk = desk.clone();
                    begun.spawn(async move { drop(desk.converse(stream).await) });
                }
                // No descriptors are left: somebody must end first.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
        }
    }
}

impl Desk {
    fn look_up(&self, question: &[u8], way: Way) -> Answer {
        let names = self.names.read().expect("no panic while holding it");
        let knowledge = self.knowledge.read().expect("no panic while holding it");
        answer::answer(question, &names, &knowledge.view, way)
    }

    fn servers(&self) -> Vec<SocketAddr> {
        let knowledge = self.knowledge.read().expect("no panic while holding it");
        knowledge.servers.iter().take(SERVERS).copied().collect()
    }

    /// Asks the servers; without an answer says that there is none.
    async fn ask_by_udp(&self, question: &[u8]) -> Option<Vec<u8>> {
        for server in self.servers() {
            let told = tokio::time::timeout(PATIENCE, self.ask_one(question, server)).await;
            match told {
                Ok(Ok(bytes)) => return Some(bytes),
                Ok(Err(error)) => tracing::debug!("cannot ask {server}: {error}"),
                Err(_) => tracing::debug!("{server} does not answer"),
            }
        }
        answer::failure(question)
    }

    async fn ask_one(&self, question: &[u8], server: SocketAddr) -> std::io::Result<Vec<u8>> {
        let spot = Arc::clone(&self.spot);
        let socket = tokio::task::spawn_blocking(move || spot.towards(server))
            .await?
            .map_err(std::io::Error::other)?;
        let socket = UdpSocket::from_std(socket)?;
        socket.send(question).await?;
        let mut buffer = vec![0; 65535];
        loop {
            let length = socket.recv(&mut buffer).await?;
            // Anything else is a late answer to somebody else, or a forgery.
            if answer::answers(question, &buffer[..length]) {
                buffer.truncate(length);
                return Ok(buffer);
            }
        }
    }

    /// Answers the questions of one connection, one after the other.
    async fn converse(&self, mut stream: TcpStream) -> std::io::Result<()> {
        loop {
            let question = match tokio::time::timeout(SILENCE, read(&mut stream)).await {
                Ok(question) => question?,
                Err(_) => return Ok(()),
            };
            let told = match self.look_up(&question, Way::Tcp) {
                Answer::Local(bytes) => Some(bytes),
                Answer::Nothing => return Ok(()),
                Answer::Forward => self.ask_by_tcp(&question).await,
            };
            let Some(bytes) = told else { return Ok(()) };
            write(&mut stream, &bytes).await?;
        }
    }

    async fn ask_by_tcp(&self, question: &[u8]) -> Option<Vec<u8>> {
        for server in self.servers() {
            let asked = async {
                let spot = Arc::clone(&self.spot);
                let stream = tokio::task::spawn_blocking(move || spot.connect(server))
                    .await?
                    .map_err(std::io::Error::other)?;
                let mut stream = TcpStream::from_std(stream)?;
                write(&mut stream, question).await?;
                read(&mut stream).await
            };
            match tokio::time::timeout(PATIENCE, asked).await {
                Ok(Ok(bytes)) if answer::answers(question, &bytes) => return Some(bytes),
                Ok(Ok(_)) | Err(_) => {}
                Ok(Err(error)) => tracing::debug!("cannot ask {server}: {error}"),
            }
        }
        answer::failure(question)
    }
}

/// A message on a connection: its length in two bytes, then itself; RFC 1035, 4.2.2.
async fn read(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    let mut message = vec![0; length.into()];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

async fn write(stream: &mut TcpStream, message: &[u8]) -> std::io::Result<()> {
    let length = u16::try_from(message.len()).map_err(std::io::Error::other)?;
    let whole = [&length.to_be_bytes(), message].concat();
    stream.write_all(&whole).await
}

/// The resolvers of all containers, by id.
pub(super) type Resolvers = BTreeMap<String, Resolver>;
