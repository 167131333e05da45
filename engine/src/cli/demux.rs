//! Output of containers without a terminal: frames that name their stream.
//!
//! A frame is `stream u8 | 0 0 0 | length u32 big endian | bytes`.

use std::io::{self, Read, Write};

/// Takes frames as they come, in pieces of any size, and writes their bytes where they belong.
#[derive(Debug, Default)]
pub(crate) struct Demux {
    head: Vec<u8>,
    left: usize,
    stream: u8,
}

/// The two places output goes to.
pub(crate) struct Outputs<O, E> {
    /// Stream 1.
    pub(crate) out: O,
    /// Stream 2.
    pub(crate) err: E,
}

impl Demux {
    /// Writes what `bytes` hold; an unfinished frame goes on with the next call.
    pub(crate) fn feed<O: Write, E: Write>(
        &mut self,
        mut bytes: &[u8],
        outputs: &mut Outputs<O, E>,
    ) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.left == 0 {
                let missing = 8 - self.head.len();
                let taken = missing.min(bytes.len());
                self.head.extend_from_slice(&bytes[..taken]);
                bytes = &bytes[taken..];
                if self.head.len() == 8 {
                    self.stream = self.head[0];
                    let length = [self.head[4], self.head[5], self.head[6], self.head[7]];
                    self.left = u32::from_be_bytes(length) as usize;
                    self.head.clear();
                }
                continue;
            }
            let taken = self.left.min(bytes.len());
            match self.stream {
                0 | 1 => outputs.out.write_all(&bytes[..taken])?,
                2 => outputs.err.write_all(&bytes[..taken])?,
                other => {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        format!("unrecognized input header: {other}"),
                    ));
                }
            }
            self.left -= taken;
            bytes = &bytes[taken..];
        }
        Ok(())
    }
}

/// Copies a whole stream of frames.
pub(crate) fn copy<O: Write, E: Write>(
    from: &mut impl Read,
    outputs: &mut Outputs<O, E>,
) -> io::Result<()> {
    let mut demux = Demux::default();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                demux.feed(&buffer[..count], outputs)?;
                outputs.out.flush()?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(stream: u8, text: &str) -> Vec<u8> {
        let mut frame = vec![stream, 0, 0, 0];
        frame.extend_from_slice(&(text.len() as u32).to_be_bytes());
        frame.extend_from_slice(text.as_bytes());
        frame
    }

    #[test]
    fn frames_cut_anywhere_reach_their_stream() {
        let bytes = [
            frame(1, "out1"),
            frame(2, "err"),
            frame(1, ""),
            frame(1, "out2"),
        ]
        .concat();
        for step in 1..bytes.len() {
            let mut demux = Demux::default();
            let mut outputs = Outputs {
                out: Vec::new(),
                err: Vec::new(),
            };
            for piece in bytes.chunks(step) {
                demux.feed(piece, &mut outputs).unwrap();
            }
            assert_eq!(outputs.out, b"out1out2", "pieces of {step}");
            assert_eq!(outputs.err, b"err", "pieces of {step}");
        }
    }

    #[test]
    fn an_unknown_stream_is_an_error() {
        let mut outputs = Outputs {
            out: Vec::new(),
            err: Vec::new(),
        };
        let fed = Demux::default().feed(&frame(7, "x"), &mut outputs);
        assert!(fed.unwrap_err().to_string().contains('7'));
    }
}
