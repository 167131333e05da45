//! The watcher: looks again when something happened, and at least twice a second.
//!
//! It speaks on one descriptor: the first line is the exercise, then requests come in and reports
//! go out, one JSON line each. It reads the machine and writes nothing to it.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use kernel::netlink::listener::Listeners;
use kernel::poll::{self, Interest};
use kernel::procfs::NamespaceKind;

use crate::binding::Bindings;
use crate::check::{Board, STABLE};
use crate::plan::{Plan, PlanError};
use crate::probe::engine::Engine;
use crate::probe::socket::{self, SocketError};
use crate::probe::{Machine, ProbeError, network};
use crate::protocol::{Opening, Report, Request};
use crate::round::Round;
use crate::verdict::Doubt;

/// The slow poll: what no notification tells is seen after this time at the latest.
const SLOW: Duration = Duration::from_millis(500);

/// The shortest time between two rounds, however much happens.
const FAST: Duration = Duration::from_millis(50);

/// How old the engine's answer may become without an event.
const ENGINE_AGE: Duration = Duration::from_secs(2);

/// How old the list of ports may become.
const PORTS_AGE: Duration = Duration::from_secs(1);

/// No line is longer.
const LONGEST_LINE: usize = 1 << 20;

/// Where to look.
#[derive(Clone, Debug)]
pub struct Options {
    /// The first process of the inner stage, in the pid namespace of `/proc`.
    pub stage_pid: i32,
    /// The engine's socket.
    pub engine: PathBuf,
    /// What was read from the connection already.
    pub early: Vec<u8>,
}

/// Why a watch ended before its listener left.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The first line is not an exercise.
    #[error("the first line is not an exercise to watch")]
    Opening(#[source] serde_json::Error),
    /// The exercise cannot be watched; `quai content check` says where.
    #[error("this exercise cannot be watched")]
    Plan(#[source] PlanError),
    /// The machine cannot be read.
    #[error("cannot read the machine")]
    Machine(#[source] ProbeError),
    /// The machine has stopped.
    #[error("the machine has stopped")]
    Stopped,
    /// A line is longer than any request.
    #[error("a line is longer than {LONGEST_LINE} bytes")]
    TooLong,
    /// The connection broke.
    #[error("cannot talk to the listener")]
    Connection(#[source] std::io::Error),
    /// Waiting failed.
    #[error("cannot wait for something to happen")]
    Wait(#[source] kernel::error::SysError),
}

/// Watches until the listener leaves.
pub fn run(options: &Options, connection: BorrowedFd<'_>) -> Result<(), WatchError> {
    let owned: OwnedFd = connection
        .try_clone_to_owned()
        .map_err(WatchError::Connection)?;
    let mut listener = Listener {
        stream: UnixStream::from(owned),
        pending: options.early.clone(),
        left: false,
    };
    let Some(opening) = listener.first_line()? else {
        return Ok(());
    };
    let opening: Opening = serde_json::from_slice(&opening).map_err(WatchError::Opening)?;
    let plan = Plan::new(opening.exercise, opening.vars).map_err(WatchError::Plan)?;
    let machine = Machine::open(options.stage_pid).map_err(WatchError::Machine)?;
    let mut watch = Watch {
        board: Board::new(&plan, &opening.passed, opening.answers),
        bindings: Bindings::default(),
        engine: EngineView::new(&plan, options.engine.clone()),
        ports: PortsView::of(&machine),
        plan,
        machine,
    };
    while !listener.left {
        if !watch.machine.alive() {
            return Err(WatchError::Stopped);
        }
        let started = Instant::now();
        for report in watch.round()? {
            listener.say(&report)?;
        }
        if let Some(report) = watch.ports.look() {
            listener.say(&report)?;
        }
        watch.wait(&mut listener)?;
        for line in listener.lines()? {
            watch.request(&line);
        }
        let spent = started.elapsed();
        if let Some(rest) = FAST.checked_sub(spent) {
            std::thread::sleep(rest);
        }
    }
    Ok(())
}

struct Watch {
    plan: Plan,
    machine: Machine,
    bindings: Bindings,
    board: Board,
    engine: EngineView,
    ports: PortsView,
}

impl Watch {
    fn round(&mut self) -> Result<Vec<Report>, WatchError> {
        if self.board.doubtful() {
            self.engine.stale = true;
        }
        self.engine.refresh();
        let round = Round::new(&self.plan, &self.machine, &self.engine.said, &self.bindings)
            .map_err(WatchError::Machine)?;
        let reports = self.board.judge(&self.plan, &round, Instant::now());
        let bound = round.finish();
        self.bindings.keep(bound);
        Ok(reports)
    }

    /// Waits for a request, an event of the engine, the end of a bound process, or the time.
    fn wait(&mut self, listener: &mut Listener) -> Result<(), WatchError> {
        let timeout = if self.board.settling() { STABLE } else { SLOW };
        let mut set = vec![
            (listener.stream.as_fd(), Interest::Read),
            (self.machine.init().pidfd(), Interest::Read),
        ];
        let processes = self
            .bindings
            .processes()
            .filter(|p| !p.ended().unwrap_or(true));
        set.extend(processes.map(|p| (p.pidfd(), Interest::Read)));
        let events = self
            .engine
            .events
            .as_ref()
            .map(|e| (e.as_fd(), Interest::Read));
        set.extend(events);
        let ready = poll::wait(&set, Some(timeout)).map_err(WatchError::Wait)?;
        if events.is_some() && ready.last().is_some_and(|r| r.any()) {
            self.engine.drain();
        }
        if ready[0].any() {
            listener.receive()?;
        }
        Ok(())
    }

    fn request(&mut self, line: &[u8]) {
        // A line that is no request is ignored: the listener is the platform, not the learner.
        match serde_json::from_slice(line) {
            Ok(Request::Verify(_)) => {
                self.engine.stale = true;
                self.board.forget();
            }
            Ok(Request::Answer(answer)) => {
                self.engine.stale = true;
                self.board.answer(answer);
            }
            Err(error) => eprintln!("watcher: not a request: {error}"),
        }
    }
}

/// The ports that were reported last.
struct PortsView {
    /// None where the kernel does not tell listeners: then nothing is said of ports.
    listeners: Option<Listeners>,
    said: Option<Vec<u16>>,
    at: Option<Instant>,
}

impl PortsView {
    fn of(machine: &Machine) -> Self {
        let network = machine.init().open_namespace(NamespaceKind::Net);
        let listeners = network.and_then(|network| Listeners::of(network.as_fd()));
        if let Err(error) = &listeners {
            eprintln!("watcher: ports are not known: {error}");
        }
        Self {
            listeners: listeners.ok(),
            said: None,
            at: None,
        }
    }

    /// Looks again when the last look is old; something to say when there is a change.
    fn look(&mut self) -> Option<Report> {
        if self.at.is_some_and(|at| at.elapsed() < PORTS_AGE) {
            return None;
        }
        self.at = Some(Instant::now());
        // What cannot be read stays as it was said: a machine that ends is told otherwise.
        let ports = network::ports(self.listeners.as_ref()?).ok()?;
        if self.said.as_ref() == Some(&ports) {
            return None;
        }
        self.said = Some(ports.clone());
        Some(Report::Ports { ports })
    }
}

/// What the engine said last, and its stream of events.
struct EngineView {
    asked: bool,
    socket: PathBuf,
    said: Result<Engine, Doubt>,
    at: Option<Instant>,
    stale: bool,
    events: Option<UnixStream>,
}

impl EngineView {
    fn new(plan: &Plan, socket: PathBuf) -> Self {
        Self {
            asked: plan.asks_engine(),
            socket,
            said: Ok(Engine::default()),
            at: None,
            stale: true,
            events: None,
        }
    }

    /// Asks again when an event came, when asked to, and when the last answer is old.
    fn refresh(&mut self) {
        let old = self.at.is_none_or(|at| at.elapsed() >= ENGINE_AGE);
        if !self.asked || !(self.stale || old || self.events.is_none()) {
            return;
        }
        if self.events.is_none() {
            // Followed first: what happens while we ask is an event.
            self.events = socket::follow(&self.socket)
                .ok()
                .filter(|s| s.set_nonblocking(true).is_ok());
        }
        self.said = Engine::fetch(&self.socket).map_err(|error| Doubt::Engine { why: why(&error) });
        self.at = Some(Instant::now());
        self.stale = false;
    }

    /// Reads away what the stream says: that it says something is all that matters.
    fn drain(&mut self) {
        self.stale = true;
        let Some(stream) = &mut self.events else {
            return;
        };
        let mut buffer = [0; 16 << 10];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => break self.events = None,
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(_) => break self.events = None,
            }
        }
    }
}

fn why(error: &SocketError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// The other side of the connection.
struct Listener {
    stream: UnixStream,
    pending: Vec<u8>,
    left: bool,
}

impl Listener {
    /// The first line; nothing when the listener leaves before it is whole.
    fn first_line(&mut self) -> Result<Option<Vec<u8>>, WatchError> {
        loop {
            if let Some(line) = self.next_line() {
                return Ok(Some(line));
            }
            if self.left {
                return Ok(None);
            }
            poll::wait(&[(self.stream.as_fd(), Interest::Read)], None).map_err(WatchError::Wait)?;
            self.receive()?;
        }
    }

    fn lines(&mut self) -> Result<Vec<Vec<u8>>, WatchError> {
        Ok(std::iter::from_fn(|| self.next_line()).collect())
    }

    fn next_line(&mut self) -> Option<Vec<u8>> {
        let end = self.pending.iter().position(|b| *b == b'\n')?;
        let mut line: Vec<u8> = self.pending.drain(..=end).collect();
        line.pop();
        Some(line)
    }

    /// Reads what is there; the descriptor is known to be readable, or closed.
    fn receive(&mut self) -> Result<(), WatchError> {
        let mut buffer = [0; 16 << 10];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.left = true,
            Ok(n) => self.pending.extend_from_slice(&buffer[..n]),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(e) if e.kind() == ErrorKind::ConnectionReset => self.left = true,
            Err(e) => return Err(WatchError::Connection(e)),
        }
        if self.pending.len() > LONGEST_LINE {
            return Err(WatchError::TooLong);
        }
        Ok(())
    }

    fn say(&mut self, report: &Report) -> Result<(), WatchError> {
        let mut line = serde_json::to_vec(report).expect("a report is plain data");
        line.push(b'\n');
        match self.stream.write_all(&line) {
            Ok(()) => Ok(()),
            Err(e) if e.kind() == ErrorKind::BrokenPipe => {
                self.left = true;
                Ok(())
            }
            Err(e) => Err(WatchError::Connection(e)),
        }
    }
}
