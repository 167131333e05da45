//! A container's streams on ours: input, output, window size and signals, until it ends.

use std::io::{Read, Write, stderr, stdin, stdout};

use kernel::termios::RawMode;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::client::{Client, Payload};
use super::demux::{self, Outputs};
use super::detach::{DetachKeys, Typed};
use super::error::CliError;
use super::path::Query;
use super::tty;
use super::wire::{Incoming, Outgoing, Stdio, Wire};

/// Whether our stdin goes to the container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// It does.
    Forward,
    /// It stays ours.
    Keep,
}

/// How the conversation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The container closed its output.
    Output,
    /// The detach keys were typed.
    Detached,
}

/// Which container or exec the terminal belongs to.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// A container, by id or name.
    Container(String),
    /// A process started by `exec`.
    Exec(String),
}

impl Target {
    fn resize(&self) -> Query {
        match self {
            Self::Container(id) => Query::new(&["containers", id, "resize"]),
            Self::Exec(id) => Query::new(&["exec", id, "resize"]),
        }
    }
}

/// Which signals reach the container's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signals {
    /// Those that we receive.
    Proxied,
    /// None: they act on this client.
    Kept,
}

/// Signals worth passing on; the rest either cannot be caught or are this process's own.
const PROXIED: [(SignalKind, &str); 7] = [
    (SignalKind::hangup(), "HUP"),
    (SignalKind::interrupt(), "INT"),
    (SignalKind::quit(), "QUIT"),
    (SignalKind::terminate(), "TERM"),
    (SignalKind::user_defined1(), "USR1"),
    (SignalKind::user_defined2(), "USR2"),
    (SignalKind::alarm(), "ALRM"),
];

/// Streams that flow; started before the container, so that no byte is missed.
#[derive(Debug)]
pub(crate) struct Conversation {
    ended: mpsc::UnboundedReceiver<Result<Ended, CliError>>,
    raw: Option<RawMode>,
}

impl Conversation {
    /// Connects our streams to `wire`.
    ///
    /// When the container has a terminal and we have one too, ours becomes raw: its keys are
    /// the container's business.
    pub(crate) fn start(wire: Wire, input: Input, keys: DetachKeys) -> Result<Self, CliError> {
        let stdio = wire.stdio;
        let raw = (input == Input::Forward && stdio == Stdio::Raw && tty::has_input())
            .then(tty::raw)
            .transpose()?;
        let (incoming, outgoing) = wire.split()?;
        // Whichever of the two threads ends the conversation first is heard.
        let (say, ended) = mpsc::unbounded_channel();
        if input == Input::Forward {
            let say = say.clone();
            std::thread::spawn(move || {
                if copy_input(outgoing, keys) == Some(Ended::Detached) {
                    let _ = say.send(Ok(Ended::Detached));
                }
            });
        }
        std::thread::spawn(move || {
            let _ = say.send(copy_output(incoming, stdio));
        });
        Ok(Self { ended, raw })
    }

    /// Passes window sizes and signals on until the output ends or the user detaches.
    pub(crate) async fn follow(
        mut self,
        client: &Client,
        target: &Target,
        signals: Signals,
    ) -> Result<Ended, CliError> {
        let (caught, mut heard) = mpsc::unbounded_channel();
        if signals == Signals::Proxied {
            for (kind, name) in PROXIED {
                forward(kind, name, caught.clone());
            }
        }
        if self.raw.is_some() {
            forward(SignalKind::window_change(), "WINCH", caught.clone());
            resize(client, target).await;
        }
        loop {
            tokio::select! {
                ended = self.ended.recv() => {
                    drop(self.raw.take());
                    return ended.unwrap_or(Ok(Ended::Output));
                }
                Some(name) = heard.recv() => match (name, target) {
                    ("WINCH", _) => resize(client, target).await,
                    (_, Target::Container(id)) => {
                        let query = Query::new(&["containers", id, "kill"]).with("signal", name);
                        // A container that has just ended cannot be signalled: not an error.
                        let _ = client.post(&query, Payload::Empty).await;
                    }
                    (_, Target::Exec(_)) => {}
                },
            }
        }
    }
}

/// Sends `name` whenever the signal arrives.
fn forward(kind: SignalKind, name: &'static str, to: mpsc::UnboundedSender<&'static str>) {
    let Ok(mut arrivals) = signal(kind) else {
        return;
    };
    tokio::spawn(async move { while arrivals.recv().await.is_some() && to.send(name).is_ok() {} });
}

/// Makes a program that is already running draw itself: its window seems to change.
pub(crate) async fn redraw(client: &Client, target: &Target) {
    if let Some(size) = tty::size() {
        let query = target
            .resize()
            .with("h", &(size.rows + 1).to_string())
            .with("w", &(size.cols + 1).to_string());
        // The true size follows when the conversation begins; a failure costs a redraw only.
        let _ = client.post(&query, Payload::Empty).await;
    }
}

/// Gives the container's terminal the size of ours.
async fn resize(client: &Client, target: &Target) {
    if let Some(size) = tty::size() {
        let query = target
            .resize()
            .with("h", &size.rows.to_string())
            .with("w", &size.cols.to_string());
        // A process that has just ended has no terminal to resize: not an error.
        let _ = client.post(&query, Payload::Empty).await;
    }
}

fn copy_output(mut incoming: Incoming, stdio: Stdio) -> Result<Ended, CliError> {
    let mut out = stdout().lock();
    let copied = match stdio {
        Stdio::Multiplexed => {
            let mut outputs = Outputs { out, err: stderr() };
            demux::copy(&mut incoming, &mut outputs)
        }
        Stdio::Raw => copy_raw(&mut incoming, &mut out),
    };
    copied.map(|()| Ended::Output).map_err(CliError::Output)
}

fn copy_raw(from: &mut impl Read, to: &mut impl Write) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..count])?;
        to.flush()?;
    }
}

/// Copies stdin until its end, which becomes the end of the container's.
fn copy_input(mut outgoing: Outgoing, mut keys: DetachKeys) -> Option<Ended> {
    let mut input = stdin().lock();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let count = match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        match keys.feed(&buffer[..count]) {
            Typed::Input(bytes) => outgoing.send(&bytes).ok()?,
            Typed::Detach(bytes) => {
                let _ = outgoing.send(&bytes);
                return Some(Ended::Detached);
            }
        }
    }
    outgoing.end().ok()?;
    None
}
