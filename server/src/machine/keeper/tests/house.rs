//! A household of ordinary processes, and a client that checks every number it receives.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::events;
use super::super::household::{Household, NoShell, Shell, Then};
use super::super::screen::Size;
use super::super::wire::{Deframer, FromClient, FromKeeper, MAX_FROM_KEEPER, frame};
use super::SOON;

/// What runs in a terminal.
pub(crate) struct Plain {
    pub(crate) argv: Vec<String>,
    pub(crate) stop: UnixStream,
}

/// A command line instead of a shell.
pub(crate) fn command(argv: &[&str]) -> Vec<String> {
    argv.iter().map(|word| (*word).to_owned()).collect()
}

/// A bash without anybody's start files.
pub(crate) fn bash() -> Vec<String> {
    command(&["bash", "--norc", "--noprofile"])
}

impl Household for Plain {
    fn open_shell(&mut self, _terminal: &str, size: Size) -> Result<Shell, NoShell> {
        let pair = kernel::pty::open(size.window()).map_err(|e| NoShell(e.to_string()))?;
        let end = || Stdio::from(pair.slave.try_clone().unwrap());
        let mut child = Command::new("env")
            // A test run started in the background has SIGINT ignored, and hands that down.
            .args(["--default-signal=INT,QUIT", "setsid"])
            .arg("--ctty")
            .args(&self.argv)
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .env("TERM", "xterm-256color")
            .env_remove("PROMPT_COMMAND")
            .spawn()
            .map_err(|e| NoShell(e.to_string()))?;
        // The end of a pipe that a waiting thread drops: readable when the child has ended.
        let (gone, held) = UnixStream::pair().unwrap();
        std::thread::spawn(move || {
            let _status = child.wait();
            drop(held);
        });
        Ok(Shell {
            master: pair.master,
            pidfd: OwnedFd::from(gone),
        })
    }

    fn adopt(&mut self, _stream: UnixStream, _opening: Value, _early: Vec<u8>) {}

    fn watched(&self) -> Vec<BorrowedFd<'_>> {
        vec![self.stop.as_fd()]
    }

    fn patience(&self) -> Option<Duration> {
        None
    }

    fn react(&mut self, ready: &[usize]) -> Then {
        if ready.is_empty() {
            Then::Continue
        } else {
            Then::Stop
        }
    }
}

/// A keeper's loop on a thread of its own; ends with this value.
pub(crate) struct Running {
    path: std::path::PathBuf,
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

/// Starts the loop with `argv` as everybody's shell.
pub(crate) fn start(argv: Vec<String>) -> Running {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("quai-keeper-{}-{number}", std::process::id()));
    let listener = UnixListener::bind(&path).unwrap();
    let (stop, stopped) = UnixStream::pair().unwrap();
    let thread = std::thread::spawn(move || {
        let mut household = Plain {
            argv,
            stop: stopped,
        };
        events::run(&listener, &mut household).unwrap();
    });
    Running {
        path,
        stop: Some(stop),
        thread: Some(thread),
    }
}

impl Running {
    /// The loop's socket.
    pub(crate) fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Opens a terminal of 80 by 24.
    pub(crate) fn open(&self, name: &str, resume: Option<u64>) -> Viewer {
        let line =
            json!({"open": "terminal", "name": name, "cols": 80, "rows": 24, "resume": resume});
        let mut viewer = self.connect(&line.to_string());
        viewer.seq = resume.unwrap_or(0);
        viewer
    }

    /// Connects and says `line`.
    pub(crate) fn connect(&self, line: &str) -> Viewer {
        let mut stream = UnixStream::connect(&self.path).unwrap();
        stream.write_all(format!("{line}\n").as_bytes()).unwrap();
        let short = Duration::from_millis(20);
        stream.set_read_timeout(Some(short)).unwrap();
        Viewer {
            stream,
            cutter: Deframer::new(MAX_FROM_KEEPER),
            acks: Acks::Always,
            seq: 0,
            acked: 0,
            received: 0,
            text: String::new(),
            notices: Vec::new(),
            screens: 0,
            size: None,
            ended: false,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        let joined = self.thread.take().map(JoinHandle::join);
        let _removed = std::fs::remove_file(&self.path);
        if !std::thread::panicking() {
            joined.unwrap().unwrap();
        }
    }
}

/// Whether a viewer says what it has drawn.
pub(crate) enum Acks {
    Always,
    Never,
}

/// A client that keeps all it reads and fails at the first wrong number.
pub(crate) struct Viewer {
    stream: UnixStream,
    cutter: Deframer,
    pub(crate) acks: Acks,
    pub(crate) seq: u64,
    pub(crate) acked: u64,
    pub(crate) received: usize,
    pub(crate) text: String,
    notices: Vec<String>,
    pub(crate) screens: u32,
    pub(crate) size: Option<(u16, u16)>,
    ended: bool,
}

impl Viewer {
    pub(crate) fn send(&mut self, message: &FromClient) {
        self.send_raw(&frame(&message.message()));
    }

    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    pub(crate) fn type_line(&mut self, line: &str) {
        self.send(&FromClient::Input(format!("{line}\r").into_bytes()));
    }

    pub(crate) fn ack(&mut self) {
        self.acked = self.seq;
        self.send(&FromClient::Ack(self.seq));
    }

    /// Reads for at most 20 ms.
    fn step(&mut self) {
        let mut buffer = [0; 64 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.ended = true,
            Ok(n) => {
                self.received += n;
                self.cutter.push(&buffer[..n]);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => self.ended = true,
        }
        while let Some(message) = self.cutter.next().unwrap() {
            self.take(FromKeeper::parse(&message).unwrap());
            if matches!(self.acks, Acks::Always) && self.acked < self.seq && !self.ended {
                self.ack();
            }
        }
    }

    fn take(&mut self, frame: FromKeeper) {
        match frame {
            FromKeeper::Output { seq, bytes } => {
                assert_eq!(seq, self.seq + 1, "a byte was lost or doubled");
                self.seq += bytes.len() as u64;
                self.text.push_str(&String::from_utf8_lossy(&bytes));
            }
            FromKeeper::Screen {
                seq,
                cols,
                rows,
                bytes,
            } => {
                assert!(seq >= self.seq, "the screen is older than the output");
                if self.acked == 0 {
                    self.acked = seq;
                }
                self.seq = seq;
                self.screens += 1;
                self.size = Some((cols, rows));
                self.text = String::from_utf8_lossy(&bytes).into_owned();
            }
            FromKeeper::Notice(json) => self.notices.push(json),
        }
    }

    /// Reads until `done`; fails when it takes too long.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let end = Instant::now() + SOON;
        while !done(self) {
            assert!(
                Instant::now() < end && !self.ended,
                "never saw {what:?}; text ends in {:?}, notices {:?}",
                self.text
                    .chars()
                    .rev()
                    .take(300)
                    .collect::<Vec<_>>()
                    .iter()
                    .rev()
                    .collect::<String>(),
                self.notices,
            );
            self.step();
        }
    }

    /// Reads until the text has `what`.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, what: &str) {
        self.until(what, |viewer| viewer.text.contains(what));
    }

    /// Reads until a notice has `what`, and gives it.
    #[track_caller]
    pub(crate) fn wait_notice(&mut self, what: &str) -> String {
        let found = |viewer: &Self| viewer.notices.iter().position(|n| n.contains(what));
        self.until(what, |viewer| found(viewer).is_some());
        let place = found(self).unwrap();
        self.notices.drain(..=place).next_back().unwrap()
    }

    /// Reads until the keeper closes the connection.
    #[track_caller]
    pub(crate) fn wait_end(&mut self) {
        let end = Instant::now() + SOON;
        while !self.ended {
            assert!(Instant::now() < end, "the connection stays open");
            self.step();
        }
    }

    /// Reads whatever comes for a while.
    pub(crate) fn idle(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.step();
        }
    }

    /// Disconnects; gives the number of the last byte received, and the text.
    pub(crate) fn leave(mut self) -> (u64, String) {
        self.step();
        (self.seq, self.text)
    }

    /// The number in the last `pid=N.` that was printed.
    #[track_caller]
    pub(crate) fn pid(&mut self) -> u32 {
        fn read(text: &str) -> Option<u32> {
            let digits = text.rsplit("pid=").next()?.split_once('.')?.0;
            digits.parse().ok()
        }
        self.until("pid", |viewer| read(&viewer.text).is_some());
        read(&self.text).unwrap()
    }
}
