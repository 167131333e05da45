//! A client of a shim: one connection per call.

use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kernel::poll;
use kernel::rights;
use kernel::socket_path::SocketPath;

use super::apparmor::{self, ProfileError};
use super::handshake::{
    ExitRecord, Frame, Framing, Input, Output, Refusal, Reply, Request, Started, Status, Streams,
    Target,
};
use super::plan::PlanError;
use super::process::ProcessPlan;
use super::request::{ProcessSpec, TerminalSize};

/// A client's connection, for the shim to write output to: nobody else need copy it.
#[derive(Clone, Debug)]
pub struct Outlet {
    /// The connection. What was written to it before has gone out.
    pub socket: Arc<OwnedFd>,
    /// What the client expects.
    pub framing: Framing,
}

/// How long a client may take to read the head of its answer before output follows.
const HEAD: Duration = Duration::from_millis(200);
/// Time between two looks whether it has.
const LOOK: Duration = Duration::from_micros(50);

impl Outlet {
    /// Waits until the client has read what was written so far. Blocking, and never for long.
    ///
    /// Some clients (those that use Python's) read the head of an answer through a buffer, and lose what came along
    /// with it. Processes start here before such a client has begun to read.
    fn await_head(&self) {
        let end = Instant::now() + HEAD;
        let unread = || poll::unread_output(self.socket.as_fd()).is_ok_and(|count| count != 0);
        while unread() && Instant::now() < end {
            std::thread::sleep(LOOK);
        }
    }
}

/// The name of one shim's socket; cheap to clone.
#[derive(Clone, Debug)]
pub struct ShimClient {
    socket: PathBuf,
}

/// A call to a shim that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ShimError {
    /// Nobody listens: the shim has ended (see `exit.json`) or never ran.
    #[error("cannot reach the shim at {path}")]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the conversation with the shim at {path} broke")]
    Broken {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The wish makes no sense.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// It cannot be confined as wished.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The shim answered no.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl ShimClient {
    /// The shim whose directory (`<exec root>/<id>`) this is; nothing is opened yet.
    pub fn in_directory(directory: &Path) -> Self {
        Self {
            socket: directory.join("shim.sock"),
        }
    }

    /// Lets the prepared program be executed; a program that cannot be is a refusal with
    /// code 126 or 127.
    pub fn start(&self) -> Result<Started, ShimError> {
        match self.call(&Request::Start)?.1 {
            Reply::Started(started) => Ok(started),
            other => Err(self.unexpected(&other)),
        }
    }

    /// Asks how the container is.
    pub fn status(&self) -> Result<Status, ShimError> {
        match self.call(&Request::Status)?.1 {
            Reply::Status(status) => Ok(status),
            other => Err(self.unexpected(&other)),
        }
    }

    /// Sends a signal.
    pub fn signal(&self, target: Target, signal: i32) -> Result<(), ShimError> {
        self.done(&Request::Signal { target, signal })
    }

    /// Changes the size of a terminal.
    pub fn resize(&self, target: Target, size: TerminalSize) -> Result<(), ShimError> {
        self.done(&Request::Resize { target, size })
    }

    /// Returns when the target has ended.
    pub fn wait(&self, target: Target) -> Result<ExitRecord, ShimError> {
        let (mut stream, mut reply) = self.call(&Request::Wait { target })?;
        while reply == Reply::OutOfMemory {
            reply = self.reply(&mut stream)?;
        }
        match reply {
            Reply::Exited(record) => Ok(record),
            other => Err(self.unexpected(&other)),
        }
    }

    /// Attaches to the streams of a process.
    pub fn attach(&self, target: Target, streams: Streams) -> Result<AttachStream, ShimError> {
        self.attach_to(target, streams, None)
    }

    /// As [`attach`](Self::attach); output that an outlet is given for does not come through the stream.
    pub fn attach_to(
        &self,
        target: Target,
        streams: Streams,
        outlet: Option<&Outlet>,
    ) -> Result<AttachStream, ShimError> {
        let request = Request::Attach {
            target,
            streams,
            outlet: outlet.map(|outlet| outlet.framing),
        };
        match self.call_with(&request, outlet)? {
            (stream, Reply::Done) => Ok(AttachStream { stream }),
            (_, other) => Err(self.unexpected(&other)),
        }
    }

    /// Runs a second process, attached.
    pub fn exec(
        &self,
        id: &str,
        process: &ProcessSpec,
        streams: Streams,
        outlet: Option<&Outlet>,
    ) -> Result<(Started, AttachStream), ShimError> {
        let framing = outlet.map(|outlet| outlet.framing);
        let request = exec_request(id, process, Some(streams), framing)?;
        match self.call_with(&request, outlet)? {
            (stream, Reply::Started(started)) => Ok((started, AttachStream { stream })),
            (_, other) => Err(self.unexpected(&other)),
        }
    }

    /// Runs a second process whose output nobody sees.
    pub fn exec_detached(&self, id: &str, process: &ProcessSpec) -> Result<Started, ShimError> {
        match self.call(&exec_request(id, process, None, None)?)?.1 {
            Reply::Started(started) => Ok(started),
            other => Err(self.unexpected(&other)),
        }
    }

    fn done(&self, request: &Request) -> Result<(), ShimError> {
        match self.call(request)?.1 {
            Reply::Done => Ok(()),
            other => Err(self.unexpected(&other)),
        }
    }

    fn call(&self, request: &Request) -> Result<(UnixStream, Reply), ShimError> {
        self.call_with(request, None)
    }

    fn call_with(
        &self,
        request: &Request,
        outlet: Option<&Outlet>,
    ) -> Result<(UnixStream, Reply), ShimError> {
        let mut stream = SocketPath::open(&self.socket)
            .and_then(|path| UnixStream::connect(path.short()))
            .map_err(|source| ShimError::Unreachable {
                path: self.socket.clone(),
                source,
            })?;
        let bytes = Frame::json(request).encode();
        let mut rest = bytes.as_slice();
        if let Some(outlet) = outlet {
            outlet.await_head();
            // Descriptors travel with a byte.
            let (first, others) = rest.split_at(1);
            rights::send(stream.as_fd(), first, &[outlet.socket.as_fd()])
                .map_err(|e| self.broken(e.source))?;
            rest = others;
        }
        stream
            .write_all(rest)
            .map_err(|source| self.broken(source))?;
        match self.reply(&mut stream)? {
            Reply::Refused(refusal) => Err(refusal.into()),
            reply => Ok((stream, reply)),
        }
    }

    fn reply(&self, stream: &mut UnixStream) -> Result<Reply, ShimError> {
        Frame::read_from(stream)
            .and_then(|frame| frame.ok_or_else(|| io::ErrorKind::UnexpectedEof.into()))
            .and_then(|frame| frame.parse::<Reply>())
            .map_err(|source| self.broken(source))
    }

    fn broken(&self, source: io::Error) -> ShimError {
        ShimError::Broken {
            path: self.socket.clone(),
            source,
        }
    }

    fn unexpected(&self, reply: &Reply) -> ShimError {
        self.broken(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("unexpected reply {reply:?}"),
        ))
    }
}

fn exec_request(
    id: &str,
    process: &ProcessSpec,
    streams: Option<Streams>,
    outlet: Option<Framing>,
) -> Result<Request, ShimError> {
    let mut plan = ProcessPlan::of(process, "")?;
    plan.apparmor = apparmor::resolve(process)?;
    Ok(Request::Exec {
        id: id.to_owned(),
        process: Box::new(plan),
        streams,
        outlet,
    })
}

/// The streams of a process: [`Input`] frames in, [`Output`] frames out. Dropping it detaches.
#[derive(Debug)]
pub struct AttachStream {
    stream: UnixStream,
}

impl AttachStream {
    /// The raw connection, for an async caller that speaks frames itself.
    pub fn into_stream(self) -> UnixStream {
        self.stream
    }

    /// A second handle on the same connection, for a thread that only writes.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            stream: self.stream.try_clone()?,
        })
    }

    /// Sends input.
    pub fn send(&mut self, input: Input) -> io::Result<()> {
        Frame::from(input).write_to(&mut self.stream)
    }

    /// Waits for output; `None` when the shim closed.
    pub fn next_output(&mut self) -> io::Result<Option<Output>> {
        Frame::read_from(&mut self.stream)?
            .map(Output::try_from)
            .transpose()
    }
}
