//! A terminal of the platform, held by a test as the page holds it: the same socket, the same frames.

use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

use crate::platform::Platform;

/// How long a command may take in a machine, its start included.
const PATIENCE: Duration = Duration::from_secs(30);

/// One open terminal and all that it has shown.
pub struct Terminal {
    socket: WebSocket<TcpStream>,
    shown: String,
    notices: Vec<String>,
    commands: u32,
    /// The last byte that came and was not acknowledged.
    stalled: Option<u64>,
}

impl Terminal {
    /// Opens terminal `name` of the exercise at `path` for the learner who holds `cookie`.
    pub fn open(platform: &Platform, cookie: &str, path: &str, name: &str) -> Result<Self> {
        let host = format!("127.0.0.1:{}", platform.port());
        let url = format!("ws://{host}{path}/terminal/{name}?cols=120&rows=40");
        let mut request = url.into_client_request()?;
        let headers = request.headers_mut();
        headers.insert("origin", format!("http://{host}").parse()?);
        headers.insert("cookie", cookie.parse()?);
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, platform.port()))?;
        let (socket, _) =
            tungstenite::client(request, stream).context("the server refused the terminal")?;
        socket
            .get_ref()
            .set_read_timeout(Some(Duration::from_millis(200)))?;
        Ok(Self {
            socket,
            shown: String::new(),
            notices: Vec::new(),
            commands: 0,
            stalled: None,
        })
    }

    /// Types text, as keys would.
    pub fn input(&mut self, text: &str) -> Result<()> {
        let frame = [&[0], text.as_bytes()].concat();
        Ok(self.socket.send(Message::binary(frame))?)
    }

    /// Waits until `text` has been shown since the terminal was opened.
    pub fn wait_for(&mut self, text: &str) -> Result<()> {
        self.wait_until(text, |terminal| terminal.shown.contains(text))
    }

    /// Waits for a notice about the shell or the machine that holds `word`; notices up to it are forgotten.
    pub fn wait_for_notice(&mut self, word: &str) -> Result<String> {
        let found = |terminal: &Self| terminal.notices.iter().position(|n| n.contains(word));
        self.wait_until(word, |terminal| found(terminal).is_some())?;
        let at = found(self).context("it was there a moment ago")?;
        let mut past = self.notices.drain(..=at);
        past.next_back().context("it was there a moment ago")
    }

    /// Waits until the platform closes the connection.
    pub fn wait_for_the_end(mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.receive().is_ok() {
            if Instant::now() > deadline {
                bail!("still open; notices: {:?}", self.notices);
            }
        }
        Ok(())
    }

    /// Takes output without saying that it was drawn, until nothing more comes; how many bytes came.
    ///
    /// [`Terminal::resume`] acknowledges it.
    pub fn stall(&mut self) -> Result<usize> {
        let mut taken = 0;
        let mut quiet = Instant::now();
        let deadline = Instant::now() + PATIENCE;
        while quiet.elapsed() < Duration::from_secs(2) {
            if Instant::now() > deadline {
                bail!("{taken} bytes came, and there is no end of it");
            }
            match self.socket.read() {
                Ok(Message::Binary(frame)) => {
                    taken += frame.len();
                    quiet = Instant::now();
                    if let (Some(0), Some(first)) = (frame.first(), frame.get(1..9)) {
                        let first = u64::from_be_bytes(first.try_into()?);
                        self.stalled = Some(first + frame.len() as u64 - 10);
                    }
                }
                Ok(_) => {}
                Err(tungstenite::Error::Io(e)) if e.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => bail!("the terminal was closed: {error}"),
            }
        }
        Ok(taken)
    }

    /// Says that everything was drawn that came during [`Terminal::stall`].
    pub fn resume(&mut self) -> Result<()> {
        match self.stalled.take() {
            Some(drawn) => self.acknowledge(drawn),
            None => Ok(()),
        }
    }

    fn wait_until(&mut self, text: &str, is_there: impl Fn(&Self) -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !is_there(self) {
            if Instant::now() > deadline {
                bail!(
                    "no {text:?} after {PATIENCE:?}; notices: {:?}; shown:\n{}",
                    self.notices,
                    self.shown
                );
            }
            self.receive()?;
        }
        Ok(())
    }

    /// Runs a command in the shell and gives what it printed and its exit code.
    #[track_caller]
    pub fn run(&mut self, command: &str) -> (String, i32) {
        self.try_run(command)
            .unwrap_or_else(|error| panic!("{command}: {error:#}"))
    }

    /// The same, where the terminal may not live.
    pub fn try_run(&mut self, command: &str) -> Result<(String, i32)> {
        self.commands += 1;
        let number = self.commands;
        let seen = self.shown.len();
        // What is typed is echoed: the marks are spelled differently from what they print.
        self.input(&format!(
            "echo be'gin'{number}; {command}; echo e'nd'{number}:$?:\n"
        ))?;
        let (begin, end) = (format!("begin{number}\r\n"), format!("end{number}:"));
        let deadline = Instant::now() + PATIENCE;
        loop {
            let fresh = &self.shown[seen..];
            if let Some((_, after)) = fresh.split_once(&begin)
                && let Some((output, after)) = after.split_once(&end)
                && let Some((code, _)) = after.split_once(':')
            {
                return Ok((output.replace('\r', "").trim().to_owned(), code.parse()?));
            }
            if Instant::now() > deadline {
                bail!(
                    "no end after {PATIENCE:?}; notices: {:?}; shown:\n{}",
                    self.notices,
                    &self.shown[seen..]
                );
            }
            self.receive()?;
        }
    }

    /// Takes one frame, if one comes soon, and acknowledges what it shows.
    fn receive(&mut self) -> Result<()> {
        let message = match self.socket.read() {
            Ok(message) => message,
            Err(tungstenite::Error::Io(error))
                if error.kind() == std::io::ErrorKind::WouldBlock =>
            {
                return Ok(());
            }
            Err(error) => bail!(
                "the terminal was closed: {error}; notices: {:?}; shown:\n{}",
                self.notices,
                self.shown
            ),
        };
        let Message::Binary(frame) = message else {
            return Ok(());
        };
        let (kind, payload) = frame.split_first().context("an empty frame")?;
        let sequence = |bytes: &[u8]| -> Result<u64> {
            Ok(u64::from_be_bytes(
                bytes.get(..8).context("a short frame")?.try_into()?,
            ))
        };
        let drawn = match kind {
            0 => {
                let text = &payload[8..];
                self.shown += &String::from_utf8_lossy(text);
                sequence(payload)? + text.len() as u64 - 1
            }
            1 => {
                self.shown += &String::from_utf8_lossy(&payload[12..]);
                sequence(payload)?
            }
            2 => {
                self.notices
                    .push(String::from_utf8_lossy(payload).into_owned());
                return Ok(());
            }
            other => bail!("a frame of unknown type {other}"),
        };
        self.acknowledge(drawn)
    }

    fn acknowledge(&mut self, drawn: u64) -> Result<()> {
        let ack = [&[1], drawn.to_be_bytes().as_slice()].concat();
        Ok(self.socket.send(Message::binary(ack))?)
    }
}
