//! Requests whose body is a file: `load`, `import` and `cp` to a container.

use std::io::{self, Read};

use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::sync::mpsc;

/// The pieces of a blocking reader, read by a thread of its own.
pub(crate) fn pieces(
    mut reader: impl Read + Send + 'static,
) -> impl Stream<Item = Result<Bytes, io::Error>> + Send + 'static {
    let (send, receive) = mpsc::channel(4);
    std::thread::spawn(move || {
        loop {
            let mut buffer = vec![0; 64 * 1024];
            let piece = match reader.read(&mut buffer) {
                Ok(0) => return,
                Ok(count) => {
                    buffer.truncate(count);
                    Ok(Bytes::from(buffer))
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
            let failed = piece.is_err();
            if send.blocking_send(piece).is_err() || failed {
                return;
            }
        }
    });
    stream::unfold(receive, async |mut receive| {
        receive.recv().await.map(|piece| (piece, receive))
    })
}

/// The pieces that `write` produces, on a thread of its own.
pub(crate) fn written(
    write: impl FnOnce(&mut dyn io::Write) -> io::Result<()> + Send + 'static,
) -> impl Stream<Item = Result<Bytes, io::Error>> + Send + 'static {
    let (send, receive) = mpsc::channel(4);
    std::thread::spawn(move || {
        let mut out = io::BufWriter::with_capacity(64 * 1024, Pieces(send.clone()));
        let done = write(&mut out).and_then(|()| io::Write::flush(&mut out));
        if let Err(error) = done {
            // Nobody waits for it when the connection broke first.
            let _ = send.blocking_send(Err(error));
        }
    });
    stream::unfold(receive, async |mut receive| {
        receive.recv().await.map(|piece| (piece, receive))
    })
}

struct Pieces(mpsc::Sender<Result<Bytes, io::Error>>);

impl io::Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = Bytes::copy_from_slice(bytes);
        self.0
            .blocking_send(Ok(piece))
            .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
