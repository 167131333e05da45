//! The conversation daemon ↔ shim ↔ init: one message enum per direction, and the frames of a stream.
//!
//! A connection to `shim.sock` begins with one JSON frame ([`Request`]) answered by one JSON frame
//! ([`Reply`]). After a reply to `attach` or to an attached `exec` it becomes a stream: the client
//! sends [`Input`] frames, the shim [`Output`] frames, until one of them closes.
//! Every frame is `u32 length (big endian) | u8 type | payload`; the length counts type and payload.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

pub use super::framing::Framing;
use super::process::ProcessPlan;
use super::request::TerminalSize;

/// What a client asks of a shim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Let the prepared program be executed.
    Start,
    /// How is it?
    Status,
    /// Send a signal.
    Signal {
        /// To whom.
        target: Target,
        /// Its number.
        signal: i32,
    },
    /// Change the size of a terminal.
    Resize {
        /// Whose.
        target: Target,
        /// To what.
        size: TerminalSize,
    },
    /// Answer when the target has ended.
    Wait {
        /// Who.
        target: Target,
    },
    /// Become a stream of the target.
    Attach {
        /// Who.
        target: Target,
        /// Which of its streams.
        streams: Streams,
        /// Write the output to the descriptor that came with this request, in this form.
        #[serde(default)]
        outlet: Option<Framing>,
    },
    /// Run a second process.
    Exec {
        /// The name it is known by from now on.
        id: String,
        /// What runs.
        process: Box<ProcessPlan>,
        /// Become its stream; `None` discards its output.
        streams: Option<Streams>,
        /// Write the output to the descriptor that came with this request, in this form.
        #[serde(default)]
        outlet: Option<Framing>,
    },
}

impl Request {
    /// The form of the output on the descriptor that came along, if one did.
    pub(crate) fn outlet(&self) -> Option<Framing> {
        match self {
            Self::Attach { outlet, .. } | Self::Exec { outlet, .. } => *outlet,
            _ => None,
        }
    }
}

/// A process of the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// Its first.
    Init,
    /// One started by `exec`, by its name.
    Exec(String),
    /// Every process in the container's cgroup.
    All,
}

/// Which streams a client wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Streams {
    /// The client will send standard input.
    pub stdin: bool,
    /// The client wants standard output (of a terminal: everything).
    pub stdout: bool,
    /// The client wants standard error.
    pub stderr: bool,
}

/// What a shim answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// Done; of `attach`: the stream begins.
    Done,
    /// The program runs.
    Started(Started),
    /// How it is.
    Status(Status),
    /// It goes on, but the kernel wanted memory; more replies follow.
    OutOfMemory,
    /// It ended.
    Exited(ExitRecord),
    /// It cannot be done.
    Refused(Refusal),
}

/// A process that began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// Its pid as the learner's machine sees it (what `docker inspect` prints).
    pub pid: u32,
    /// Its pid as the engine sees it in its own `/proc`.
    pub engine_pid: u32,
    /// When.
    pub at: jiff::Timestamp,
}

/// What a shim knows about its container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Pid in the learner's machine.
    pub pid: u32,
    /// Pid in the engine's stage.
    pub engine_pid: u32,
    /// Created, running, or ended.
    pub phase: Phase,
}

/// Where a container is in its life, as its shim sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Prepared, not yet executed.
    Created,
    /// Running.
    Running {
        /// Since when.
        since: jiff::Timestamp,
    },
    /// Ended.
    Exited(ExitRecord),
}

/// How a process ended; `<exec root>/<id>/exit.json` holds that of the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitRecord {
    /// The exit code; 128 + signal number if killed.
    pub code: i32,
    /// Whether the kernel's OOM killer killed a process of the container.
    pub oom_killed: bool,
    /// When it began; `None` if it never did.
    pub started_at: Option<jiff::Timestamp>,
    /// When it ended.
    pub finished_at: jiff::Timestamp,
}

/// Why something was refused or failed, with Docker's exit code for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// One sentence, Docker's wording where clients match on it.
    pub message: String,
    /// 125 our failure, 126 not executable, 127 not found.
    pub code: i32,
    /// What kind of failure, for whoever maps it to an HTTP status.
    pub kind: RefusalKind,
}

impl Refusal {
    /// Our own failure.
    pub(crate) fn failed(what: &str, why: &dyn std::error::Error) -> Self {
        Self {
            message: format!("{what}: {why}"),
            code: 125,
            kind: RefusalKind::Failed,
        }
    }

    /// Not in this state.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: 125,
            kind: RefusalKind::Conflict,
        }
    }
}

/// The kinds of refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalKind {
    /// The wish itself is wrong: no such program, user, or directory.
    Invalid,
    /// There is no such exec.
    NotFound,
    /// Not in this state.
    Conflict,
    /// The stage does not allow it, or it broke.
    Failed,
}

/// What the processes on the way to the program tell the shim; some words carry descriptors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FromInit {
    /// An intermediate has been made (with its pidfd); it must be collected.
    Helper,
    /// The process itself has been made (with its pidfd).
    Child,
    /// It is in a user namespace of its own and asks for its ids.
    Unmapped,
    /// The root is built and not yet entered: it asks for the hooks of this moment.
    Rooted,
    /// All is prepared (with the master of its terminal, if it has one).
    Ready,
    /// It cannot be.
    Failed(Refusal),
}

/// What the shim tells the init: one byte.
pub(crate) const GO: &[u8] = b"g";

/// What a client sends on a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Bytes for standard input.
    Stdin(Vec<u8>),
    /// The terminal's new size.
    Resize(TerminalSize),
    /// Standard input has ended.
    CloseStdin,
}

/// What a shim sends on a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Bytes of standard output, or of the terminal.
    Stdout(Vec<u8>),
    /// Bytes of standard error.
    Stderr(Vec<u8>),
    /// The process has ended and all its output was sent; the last frame.
    Exited(ExitRecord),
}

/// The largest frame anyone accepts.
pub const FRAME_MAX: usize = 1 << 20;

const TYPE_JSON: u8 = 0;
const TYPE_STDIN: u8 = 1;
const TYPE_RESIZE: u8 = 2;
const TYPE_CLOSE_STDIN: u8 = 3;
const TYPE_STDOUT: u8 = 1;
const TYPE_STDERR: u8 = 2;
const TYPE_EXITED: u8 = 3;

/// One frame as it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The meaning of the payload, by direction.
    pub kind: u8,
    /// At most [`FRAME_MAX`] bytes.
    pub payload: Vec<u8>,
}

impl Frame {
    /// A frame with a JSON payload.
    pub fn json<T: Serialize>(value: &T) -> Self {
        let payload = serde_json::to_vec(value).expect("our messages have string keys only");
        Self {
            kind: TYPE_JSON,
            payload,
        }
    }

    /// Reads the JSON payload.
    pub fn parse<T: for<'a> Deserialize<'a>>(&self) -> io::Result<T> {
        if self.kind != TYPE_JSON {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("expected a JSON frame, got type {}", self.kind),
            ));
        }
        serde_json::from_slice(&self.payload).map_err(io::Error::from)
    }

    /// What stands before so many bytes of output.
    pub(crate) fn output_head(is_error: bool, length: usize) -> [u8; 5] {
        let kind = if is_error { TYPE_STDERR } else { TYPE_STDOUT };
        let length = u32::try_from(length + 1).expect("frames are small");
        let [a, b, c, d] = length.to_be_bytes();
        [a, b, c, d, kind]
    }

    /// The bytes on the wire.
    pub fn encode(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len() + 1).expect("frames are small");
        let mut bytes = Vec::with_capacity(self.payload.len() + 5);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.push(self.kind);
        bytes.extend_from_slice(&self.payload);
        bytes
    }

    /// Takes one whole frame off the front of `buffer`, if there is one.
    pub fn decode(buffer: &mut Vec<u8>) -> io::Result<Option<Self>> {
        let Some(head) = buffer.first_chunk::<4>() else {
            return Ok(None);
        };
        let length = checked_length(*head)?;
        if buffer.len() < 4 + length {
            return Ok(None);
        }
        let frame = Self {
            kind: buffer[4],
            payload: buffer[5..4 + length].to_vec(),
        };
        buffer.drain(..4 + length);
        Ok(Some(frame))
    }

    /// Writes the frame.
    pub fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&self.encode())
    }

    /// Reads one frame; `None` at the end.
    pub fn read_from(from: &mut impl Read) -> io::Result<Option<Self>> {
        let mut head = [0; 4];
        match from.read_exact(&mut head) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(e) => return Err(e),
        }
        let mut body = vec![0; checked_length(head)?];
        from.read_exact(&mut body)?;
        let kind = body.remove(0);
        Ok(Some(Self {
            kind,
            payload: body,
        }))
    }
}

fn checked_length(head: [u8; 4]) -> io::Result<usize> {
    let length = u32::from_be_bytes(head) as usize;
    if length == 0 || length > FRAME_MAX + 1 {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a frame of {length} bytes is refused"),
        ));
    }
    Ok(length)
}

impl From<Input> for Frame {
    fn from(input: Input) -> Self {
        let (kind, payload) = match input {
            Input::Stdin(bytes) => (TYPE_STDIN, bytes),
            Input::Resize(size) => {
                let [a, b] = size.cols.to_be_bytes();
                let [c, d] = size.rows.to_be_bytes();
                (TYPE_RESIZE, vec![a, b, c, d])
            }
            Input::CloseStdin => (TYPE_CLOSE_STDIN, Vec::new()),
        };
        Self { kind, payload }
    }
}

impl TryFrom<Frame> for Input {
    type Error = io::Error;

    fn try_from(frame: Frame) -> io::Result<Self> {
        match (frame.kind, frame.payload.as_slice()) {
            (TYPE_STDIN, _) => Ok(Self::Stdin(frame.payload)),
            (TYPE_RESIZE, &[a, b, c, d]) => Ok(Self::Resize(TerminalSize {
                cols: u16::from_be_bytes([a, b]),
                rows: u16::from_be_bytes([c, d]),
            })),
            (TYPE_CLOSE_STDIN, []) => Ok(Self::CloseStdin),
            (kind, _) => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("no input frame has type {kind} and this length"),
            )),
        }
    }
}

impl From<Output> for Frame {
    fn from(output: Output) -> Self {
        match output {
            Output::Stdout(payload) => Self {
                kind: TYPE_STDOUT,
                payload,
            },
            Output::Stderr(payload) => Self {
                kind: TYPE_STDERR,
                payload,
            },
            Output::Exited(record) => Self {
                kind: TYPE_EXITED,
                ..Self::json(&record)
            },
        }
    }
}

impl TryFrom<Frame> for Output {
    type Error = io::Error;

    fn try_from(frame: Frame) -> io::Result<Self> {
        match frame.kind {
            TYPE_STDOUT => Ok(Self::Stdout(frame.payload)),
            TYPE_STDERR => Ok(Self::Stderr(frame.payload)),
            TYPE_EXITED => Ok(Self::Exited(serde_json::from_slice(&frame.payload)?)),
            kind => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("no output frame has type {kind}"),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_the_wire_in_any_pieces() {
        let frames = [
            Frame::from(Input::Stdin(b"ls\n".to_vec())),
            Frame::from(Input::Resize(TerminalSize {
                cols: 300,
                rows: 50,
            })),
            Frame::from(Input::CloseStdin),
        ];
        let wire: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
        let (mut buffer, mut got) = (Vec::new(), Vec::new());
        for byte in wire {
            buffer.push(byte);
            while let Some(frame) = Frame::decode(&mut buffer).unwrap() {
                got.push(frame);
            }
        }
        assert_eq!(got, frames);
        assert_eq!(
            Input::try_from(got[1].clone()).unwrap(),
            Input::Resize(TerminalSize {
                cols: 300,
                rows: 50
            })
        );
    }

    #[test]
    fn an_oversized_frame_is_refused_before_it_is_read() {
        let mut buffer = vec![0xff, 0xff, 0xff, 0xff, 1];
        assert!(Frame::decode(&mut buffer).is_err());
    }
}
