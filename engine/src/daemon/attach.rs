//! The streams of a container, for clients that come before, during and after its start.

use std::sync::{Arc, OnceLock};

use tokio::sync::oneshot;

use crate::runtime::client::{Outlet, ShimClient};
use crate::runtime::handshake::{Streams, Target};

use super::frames::{self, StreamReader, StreamWriter};
use super::{Daemon, DaemonError, LogOptions, logs};

/// What a client wants to be attached to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttachOptions {
    /// First what was printed before.
    pub logs: bool,
    /// Then what is printed from now on.
    pub stream: bool,
    /// The client sends standard input.
    pub stdin: bool,
    /// The client wants standard output.
    pub stdout: bool,
    /// The client wants standard error.
    pub stderr: bool,
}

/// A client that is attached, or will be when the container starts.
#[derive(Debug)]
pub struct Attached {
    /// The output is one raw stream.
    pub tty: bool,
    /// What was printed before, if asked for.
    pub past: Vec<logs::LogLine>,
    stream: Option<oneshot::Receiver<std::os::unix::net::UnixStream>>,
    outlet: Arc<OnceLock<Outlet>>,
}

impl Attached {
    /// Lets the shim write to the client's connection itself, if the container has yet to start. Whoever reads the
    /// streams then hears of the end alone.
    pub fn write_directly(&self, outlet: Outlet) {
        // Set once: there is one client.
        let _ = self.outlet.set(outlet);
    }

    /// The streams, once there are any; `None` when the container will not run for this client.
    pub async fn streams(self) -> Option<(StreamReader, StreamWriter)> {
        let stream = self.stream?.await.ok()?;
        frames::split(stream)
            .inspect_err(|error| tracing::warn!("cannot use the stream of a shim: {error}"))
            .ok()
    }
}

/// A client that attached before the start.
#[derive(Debug)]
pub(crate) struct Waiting {
    streams: Streams,
    outlet: Arc<OnceLock<Outlet>>,
    give: oneshot::Sender<std::os::unix::net::UnixStream>,
}

impl Waiting {
    /// Attaches it now. Blocking.
    pub(crate) fn connect(self, shim: &ShimClient) {
        match shim.attach_to(Target::Init, self.streams, self.outlet.get()) {
            // A client that left does not want it any more.
            Ok(stream) => drop(self.give.send(stream.into_stream())),
            Err(error) => tracing::warn!("cannot attach a client: {error}"),
        }
    }
}

impl Daemon {
    /// Attaches a client to a container.
    pub async fn attach(
        self: &Arc<Self>,
        text: &str,
        options: AttachOptions,
    ) -> Result<Attached, DaemonError> {
        let container = self.container(text)?;
        let record = container.record();
        if matches!(record.state, super::container::State::Paused(_)) {
            return Err(DaemonError::Conflict(format!(
                "container {} is paused, unpause the container before attach",
                record.id
            )));
        }
        let past = if options.logs {
            let wanted = LogOptions {
                stdout: options.stdout,
                stderr: options.stderr,
                ..LogOptions::default()
            };
            self.past_logs(&record.id, wanted).await?
        } else {
            Vec::new()
        };
        let mut attached = Attached {
            tty: record.config.tty,
            past,
            stream: None,
            outlet: Arc::default(),
        };
        if !options.stream {
            return Ok(attached);
        }
        let streams = Streams {
            stdin: options.stdin && record.config.open_stdin,
            stdout: options.stdout,
            stderr: options.stderr,
        };
        let (give, take) = oneshot::channel();
        attached.stream = Some(take);
        let client = Waiting {
            streams,
            outlet: Arc::clone(&attached.outlet),
            give,
        };
        // Under the lock: a container that has just been started has a shim by now.
        let now = {
            let mut inner = container.lock();
            match inner.shim.clone() {
                Some(shim) => Some((shim, client)),
                None => {
                    inner.waiting.push(client);
                    None
                }
            }
        };
        if let Some((shim, client)) = now {
            self.block(move |_| {
                client.connect(&shim);
                Ok(())
            })
            .await?;
        }
        self.tell(&record, "attach", &[]);
        Ok(attached)
    }

    /// Tells that a client has left a container that goes on.
    pub fn detached(&self, text: &str) {
        if let Ok(container) = self.container(text) {
            self.tell(&container.record(), "detach", &[]);
        }
    }
}
