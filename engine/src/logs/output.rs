//! The log of a running container: what it prints, on its way to the driver.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use jiff::Timestamp;

use super::gelf::Gelf;
use super::journald::Journald;
use super::json_file::JsonFile;
use super::local::Local;
use super::message::{Lines, Message, Stream};
use super::place::Place;
use super::spec::{Driver, Endpoint, LogPlan};
use super::syslog::Syslog;
use super::wire::Wire;

/// An open log.
#[derive(Debug)]
pub(crate) struct Log {
    lines: [Lines; 2],
    sink: Sink,
    cache: Option<Local>,
}

#[derive(Debug)]
enum Sink {
    JsonFile(JsonFile),
    Local(Local),
    Syslog(Box<Syslog>),
    Gelf(Box<Gelf>),
    Journald(Box<Journald>),
}

/// A log that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    /// A file cannot be opened.
    #[error("cannot open the log {path}: {source}")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The collector cannot be reached. Docker's words.
    #[error("{what}{}", go_words(.source))]
    Collector {
        /// Which, as Docker says it.
        what: String,
        /// Why.
        source: io::Error,
    },
}

impl Log {
    /// Opens the log of a container.
    pub(crate) fn open(plan: &LogPlan, place: &Place) -> Result<Self, LogError> {
        let (mode, place) = (plan.mode, place.clone());
        let file = |path: &std::path::Path| {
            let path = path.display().to_string();
            move |source| LogError::File { path, source }
        };
        let sink = match &plan.driver {
            Driver::JsonFile {
                file: spec,
                attributes,
            } => Sink::JsonFile(JsonFile::open(spec, attributes).map_err(file(&spec.path))?),
            Driver::Local(spec) => Sink::Local(Local::open(spec).map_err(file(&spec.path))?),
            Driver::Syslog(spec) => Sink::Syslog(Box::new(
                Syslog::open(spec, place, mode).map_err(|source| LogError::Collector {
                    what: spec.endpoint.as_ref().map(dial).unwrap_or_default(),
                    source,
                })?,
            )),
            Driver::Gelf(spec) => Sink::Gelf(Box::new(Gelf::open(spec, place, mode).map_err(
                |source| LogError::Collector {
                    what: format!(
                        "gelf: cannot connect to GELF endpoint: {} {}",
                        address(&spec.endpoint),
                        dial(&spec.endpoint)
                    ),
                    source,
                },
            )?)),
            Driver::Journald(spec) => Sink::Journald(Box::new(
                Journald::open(spec, place, mode).map_err(|source| LogError::Collector {
                    what: String::new(),
                    source,
                })?,
            )),
        };
        let cache = plan.cache.as_ref();
        let cache = cache.map(|spec| Local::open(spec).map_err(file(&spec.path)));
        Ok(Self {
            lines: Default::default(),
            sink,
            cache: cache.transpose()?,
        })
    }

    /// Takes what the container has printed. A full disk loses lines; it does not stop the container.
    pub(crate) fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let time = Timestamp::now();
        let (sink, cache) = (&mut self.sink, &mut self.cache);
        let mut each = |message: &Message<'_>| tell(sink, cache.as_mut(), message);
        self.lines[stream as usize].take(stream, time, bytes, &mut each);
        self.sync();
    }

    /// A stream has ended: what is left of a line is told.
    pub(crate) fn finish(&mut self, stream: Stream) {
        let (sink, cache) = (&mut self.sink, &mut self.cache);
        let mut each = |message: &Message<'_>| tell(sink, cache.as_mut(), message);
        self.lines[stream as usize].finish(stream, Timestamp::now(), &mut each);
        self.sync();
    }

    /// Whether the container must wait until the driver has taken more.
    pub(crate) fn is_full(&self) -> bool {
        self.wire().is_some_and(Wire::is_full)
    }

    /// Whether something waits to be sent.
    pub(crate) fn is_waiting(&self) -> bool {
        self.wire().is_some_and(Wire::is_waiting)
    }

    /// What to wait for before `flush`: room in a socket, or a time.
    pub(crate) fn next(&self) -> (Option<BorrowedFd<'_>>, Option<Duration>) {
        self.wire().map_or((None, None), Wire::next)
    }

    /// Sends what the collector takes.
    pub(crate) fn flush(&mut self) {
        match &mut self.sink {
            Sink::Syslog(driver) => driver.wire.flush(),
            Sink::Gelf(driver) => driver.wire.flush(),
            Sink::Journald(driver) => driver.wire.flush(),
            Sink::JsonFile(_) | Sink::Local(_) => {}
        }
    }

    fn wire(&self) -> Option<&Wire> {
        match &self.sink {
            Sink::Syslog(driver) => Some(&driver.wire),
            Sink::Gelf(driver) => Some(&driver.wire),
            Sink::Journald(driver) => Some(&driver.wire),
            Sink::JsonFile(_) | Sink::Local(_) => None,
        }
    }

    fn sync(&mut self) {
        let written = match &mut self.sink {
            Sink::JsonFile(file) => file.flush(),
            Sink::Local(file) => file.flush(),
            Sink::Syslog(_) | Sink::Gelf(_) | Sink::Journald(_) => Ok(()),
        };
        // A full disk: the next lines may find room again.
        drop(written);
        if let Some(cache) = &mut self.cache {
            drop(cache.flush());
        }
    }
}

fn tell(sink: &mut Sink, cache: Option<&mut Local>, message: &Message<'_>) {
    let written = match sink {
        Sink::JsonFile(file) => file.write(message),
        Sink::Local(file) => file.write(message),
        Sink::Syslog(driver) => {
            driver.write(message);
            Ok(())
        }
        Sink::Gelf(driver) => {
            driver.write(message);
            Ok(())
        }
        Sink::Journald(driver) => {
            driver.write(message);
            Ok(())
        }
    };
    // A full disk: see `write`.
    drop(written);
    if let Some(cache) = cache {
        drop(cache.write(message));
    }
}

fn address(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Udp(address) | Endpoint::Tcp(address) | Endpoint::Tls(address, _) => {
            address.to_string()
        }
        Endpoint::Unix(path) | Endpoint::Unixgram(path) => path.display().to_string(),
    }
}

/// The beginning of the sentence that Docker's clients read.
fn dial(endpoint: &Endpoint) -> String {
    let kind = match endpoint {
        Endpoint::Udp(_) => "udp",
        Endpoint::Tcp(_) | Endpoint::Tls(..) => "tcp",
        Endpoint::Unix(_) => "unix",
        Endpoint::Unixgram(_) => "unixgram",
    };
    format!("dial {kind} {}: ", address(endpoint))
}

/// An operating system's error as Docker words it.
fn go_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connect: connection refused".into(),
        io::ErrorKind::NotFound => "connect: no such file or directory".into(),
        io::ErrorKind::TimedOut => "i/o timeout".into(),
        io::ErrorKind::NetworkUnreachable => "connect: network is unreachable".into(),
        _ => error.to_string(),
    }
}
