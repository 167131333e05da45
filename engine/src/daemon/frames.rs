//! The conversation with a shim, spoken asynchronously: output frames in, input frames out.

use std::io;
use std::path::Path;

use kernel::socket_path::SocketPath;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

pub use crate::runtime::handshake::Output;
use crate::runtime::handshake::{ExitRecord, Frame, Input, Reply, Request, Target};
use crate::runtime::request::TerminalSize;

/// Splits the stream of an attached process.
pub(crate) fn split(
    stream: std::os::unix::net::UnixStream,
) -> io::Result<(StreamReader, StreamWriter)> {
    stream.set_nonblocking(true)?;
    let (read, write) = UnixStream::from_std(stream)?.into_split();
    Ok((
        StreamReader {
            read,
            buffer: Vec::new(),
        },
        StreamWriter { write },
    ))
}

/// What a process prints.
#[derive(Debug)]
pub struct StreamReader {
    read: OwnedReadHalf,
    buffer: Vec<u8>,
}

impl StreamReader {
    /// The next output; `None` when the shim has closed.
    pub async fn next(&mut self) -> io::Result<Option<Output>> {
        next_frame(&mut self.read, &mut self.buffer)
            .await?
            .map(Output::try_from)
            .transpose()
    }
}

/// What a process reads.
#[derive(Debug)]
pub struct StreamWriter {
    write: OwnedWriteHalf,
}

impl StreamWriter {
    /// Sends standard input.
    pub async fn stdin(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.send(Input::Stdin(bytes.to_vec())).await
    }

    /// Tells that there is no more standard input.
    pub async fn close_stdin(&mut self) -> io::Result<()> {
        self.send(Input::CloseStdin).await
    }

    /// Changes the size of the terminal.
    pub async fn resize(&mut self, cols: u16, rows: u16) -> io::Result<()> {
        self.send(Input::Resize(TerminalSize { cols, rows })).await
    }

    async fn send(&mut self, input: Input) -> io::Result<()> {
        self.write.write_all(&Frame::from(input).encode()).await
    }
}

/// Waits until a process of the container whose shim lives in `directory` has ended.
///
/// `out_of_memory` is called each time the kernel wants memory before.
pub(crate) async fn wait(
    directory: &Path,
    target: Target,
    mut out_of_memory: impl FnMut(),
) -> io::Result<ExitRecord> {
    let socket = SocketPath::open(&directory.join("shim.sock"))?;
    let mut stream = UnixStream::connect(socket.short()).await?;
    stream
        .write_all(&Frame::json(&Request::Wait { target }).encode())
        .await?;
    let mut buffer = Vec::new();
    loop {
        let frame = next_frame(&mut stream, &mut buffer).await?;
        match frame
            .ok_or(io::ErrorKind::UnexpectedEof)?
            .parse::<Reply>()?
        {
            Reply::OutOfMemory => out_of_memory(),
            Reply::Exited(record) => return Ok(record),
            Reply::Refused(refusal) => return Err(io::Error::other(refusal)),
            other => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("unexpected reply {other:?}"),
                ));
            }
        }
    }
}

async fn next_frame(
    read: &mut (impl AsyncReadExt + Unpin),
    buffer: &mut Vec<u8>,
) -> io::Result<Option<Frame>> {
    loop {
        if let Some(frame) = Frame::decode(buffer)? {
            return Ok(Some(frame));
        }
        if read.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}
