//! The loop: streams to the log and to clients, requests to answers, the end to `exit.json`.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use kernel::cgroup::{Cgroup, OomWatch, Version};
use kernel::poll::{self, Interest, Ready};
use kernel::process::Patience;

use super::client::{Client, Mode};
use super::process::Process;
use crate::logs::{Log, Stream};
use crate::runtime::cgroups;
use crate::runtime::handshake::{ExitRecord, Frame, Input, Refusal, Reply, Request, Streams};
use crate::runtime::plan::Plan;

/// The number of the container's first process.
pub(super) const INIT: u64 = 0;

/// How many ended `exec` processes can still be asked about.
const REMEMBERED: usize = 64;

/// Bytes read of a stream at once.
const OUTPUT_READ: usize = 64 << 10;

/// How long clients have, after the end, to read the last of the output.
const FAREWELL: Duration = Duration::from_secs(10);

/// A container and whoever asks about it.
#[derive(Debug)]
pub(super) struct Shim {
    pub(super) plan: Plan,
    pub(super) group: Cgroup,
    pub(super) processes: BTreeMap<u64, Process>,
    pub(super) names: BTreeMap<String, u64>,
    pub(super) next: u64,
    pub(super) log: Option<Log>,
    listener: UnixListener,
    pub(super) memory: Option<OomWatch>,
    oom_kills: u64,
    /// The kernel wanted memory, and nobody waited who could be told.
    untold: bool,
    /// What was read last.
    buffer: Vec<u8>,
    pub(super) clients: BTreeMap<u64, Client>,
    pub(super) end: Option<ExitRecord>,
}

/// What a descriptor in the poll set belongs to.
#[derive(Clone, Copy, Debug)]
enum Owner {
    Listener,
    Memory,
    Log,
    Client(u64),
    Outlet(u64),
    Ended(u64),
    Output(u64, Stream),
    Input(u64),
}

impl Shim {
    pub(super) fn new(
        plan: Plan,
        group: Cgroup,
        init: Process,
        log: Option<Log>,
        listener: UnixListener,
    ) -> Self {
        // Without it the end still tells, from the group's counters.
        let memory = OomWatch::open(&group).ok();
        Self {
            plan,
            group,
            processes: BTreeMap::from([(INIT, init)]),
            names: BTreeMap::new(),
            next: INIT + 1,
            log,
            listener,
            memory,
            oom_kills: 0,
            untold: false,
            buffer: Vec::new(),
            clients: BTreeMap::new(),
            end: None,
        }
    }

    /// The container's first process, which is never forgotten.
    pub(super) fn init(&self) -> &Process {
        &self.processes[&INIT]
    }

    /// Serves until the container has ended and everybody knows.
    pub(super) fn serve(mut self) {
        while self.end.is_none() {
            self.turn(None);
        }
        // From now on `exit.json` is the answer to every question.
        let _ = std::fs::remove_file(self.plan.directory.join("shim.sock"));
        let until = Instant::now() + FAREWELL;
        let is_busy = |shim: &Self| {
            !shim.clients.is_empty() || shim.log.as_ref().is_some_and(Log::is_waiting)
        };
        while is_busy(&self) && Instant::now() < until {
            self.turn(Some(until - Instant::now()));
        }
    }

    /// Nobody will ever start it.
    pub(super) fn abandon(mut self) {
        self.init().kill();
        self.finish();
    }

    fn turn(&mut self, timeout: Option<Duration>) {
        let (owners, ready) = {
            let (owners, set): (Vec<_>, Vec<_>) = self.watched().into_iter().unzip();
            let stalled = self.clients.values().any(Client::is_full);
            let stalled = stalled.then_some(Duration::from_secs(1));
            let log = self.log.as_ref().and_then(|log| log.next().1);
            let timeout = [timeout, stalled, log].into_iter().flatten().min();
            // A signal, or a descriptor that is gone: the next turn sees.
            let ready = poll::wait(&set, timeout).unwrap_or_default();
            (owners, ready)
        };
        for (owner, ready) in owners.into_iter().zip(ready).filter(|(_, r)| r.any()) {
            self.handle(owner, ready);
        }
        // A collector that was lost is tried again after a while.
        if let Some(log) = &mut self.log
            && log.next().1.is_some()
        {
            log.flush();
        }
        self.bury_clients();
    }

    fn watched(&self) -> Vec<(Owner, (BorrowedFd<'_>, Interest))> {
        let mut set = Vec::new();
        if self.end.is_none() {
            set.push((Owner::Listener, (self.listener.as_fd(), Interest::Read)));
            if let Some(memory) = &self.memory {
                set.push((Owner::Memory, (memory.as_fd(), Interest::Read)));
            }
        }
        if let Some((Some(socket), _)) = self.log.as_ref().map(Log::next) {
            set.push((Owner::Log, (socket, Interest::Write)));
        }
        for (&number, client) in &self.clients {
            let interest = match (self.listens_to(client), client.has_output()) {
                (true, true) => Interest::ReadWrite,
                (true, false) => Interest::Read,
                (false, true) => Interest::Write,
                (false, false) => Interest::Hangup,
            };
            set.push((Owner::Client(number), (client.socket(), interest)));
            if let Some(outlet) = client.held_up() {
                set.push((Owner::Outlet(number), (outlet, Interest::Write)));
            }
        }
        for (&number, process) in &self.processes {
            if process.ended().is_none() {
                set.push((
                    Owner::Ended(number),
                    (process.pidfd().as_fd(), Interest::Read),
                ));
            }
            if process.has_input()
                && let Some(input) = &process.ends.input
            {
                set.push((Owner::Input(number), (input.as_fd(), Interest::Write)));
            }
            // A terminal without a slave hangs up at once: nobody can print before the start.
            if self.is_held_up(number) || process.started().is_none() {
                continue;
            }
            let streams = [
                (Stream::Stdout, &process.ends.output),
                (Stream::Stderr, &process.ends.error),
            ];
            for (stream, end) in streams {
                if let Some(end) = end {
                    set.push((Owner::Output(number, stream), (end.as_fd(), Interest::Read)));
                }
            }
        }
        set
    }

    fn listens_to(&self, client: &Client) -> bool {
        match client.mode {
            Mode::Attached(number, _) => {
                self.processes.get(&number).is_none_or(Process::takes_input)
            }
            Mode::Asking | Mode::Waiting(_) => true,
            Mode::Leaving => false,
        }
    }

    /// Whether a client of this process, or the collector of its log, is so slow that the process must wait for it.
    fn is_held_up(&self, process: u64) -> bool {
        let log = process == INIT && self.log.as_ref().is_some_and(Log::is_full);
        log || self.clients.values().any(|client| {
            matches!(client.mode, Mode::Attached(number, _) if number == process)
                && client.is_full()
        })
    }

    fn handle(&mut self, owner: Owner, ready: Ready) {
        match owner {
            Owner::Listener => {
                while let Ok((stream, _)) = self.listener.accept() {
                    if let Ok(client) = Client::new(stream) {
                        self.clients.insert(self.next, client);
                        self.next += 1;
                    }
                }
            }
            Owner::Memory => self.look_at_memory(),
            Owner::Log => {
                if let Some(log) = &mut self.log {
                    log.flush();
                }
            }
            Owner::Client(number) => {
                let Some(client) = self.clients.get_mut(&number) else {
                    return;
                };
                if ready.writable {
                    client.flush();
                }
                if ready.readable || ready.hangup {
                    for frame in client.read() {
                        self.frame(number, frame);
                    }
                }
            }
            Owner::Outlet(number) => {
                if let Some(client) = self.clients.get_mut(&number) {
                    client.flush();
                }
            }
            Owner::Ended(number) => self.collect(number),
            Owner::Output(number, stream) => {
                self.pump(number, stream);
            }
            Owner::Input(number) => {
                if let Some(process) = self.processes.get_mut(&number) {
                    process.flush_input();
                }
            }
        }
    }

    /// Tells those who wait that the kernel wanted memory.
    fn look_at_memory(&mut self) {
        let Some(memory) = &self.memory else {
            return;
        };
        if memory.take() == Version::V2 {
            let kills = cgroups::oom_kills(&self.group);
            if kills == std::mem::replace(&mut self.oom_kills, kills) {
                return;
            }
        }
        self.untold = true;
        self.tell_memory();
    }

    /// Tells what nobody has been told yet: a daemon may come late.
    fn tell_memory(&mut self) {
        if !self.untold {
            return;
        }
        for client in self.clients.values_mut() {
            if client.mode == Mode::Waiting(INIT) {
                client.send(&Frame::json(&Reply::OutOfMemory));
                self.untold = false;
            }
        }
    }

    /// Passes on what a process has printed; whether there was anything.
    pub(super) fn pump(&mut self, number: u64, stream: Stream) -> bool {
        let Some(process) = self.processes.get_mut(&number) else {
            return false;
        };
        // As much as a pipe holds. A container that is silent costs no memory for it.
        self.buffer.resize(OUTPUT_READ, 0);
        let Some(n) = process.read(stream, &mut self.buffer) else {
            return false;
        };
        let bytes = &self.buffer[..n];
        if number == INIT
            && let Some(log) = &mut self.log
        {
            log.write(stream, bytes);
        }
        for client in self.clients.values_mut() {
            if let Mode::Attached(process, streams) = client.mode
                && process == number
                && match stream {
                    Stream::Stdout => streams.stdout,
                    Stream::Stderr => streams.stderr,
                }
            {
                client.send_output(stream, bytes);
            }
        }
        true
    }

    /// A process has ended: its last words, then its end, are told.
    fn collect(&mut self, number: u64) {
        let Some(process) = self.processes.get_mut(&number) else {
            return;
        };
        process.collect(Patience::Poll);
        if process.ended().is_none() {
            return;
        }
        for stream in [Stream::Stdout, Stream::Stderr] {
            while self.pump(number, stream) {}
        }
        if number == INIT {
            self.finish();
        } else {
            let record = self.record(number, 0);
            self.tell_end(number, &record);
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let ended = |process: &Process| process.ended().is_some();
        let count = self.processes.values().filter(|p| ended(p)).count();
        if count <= REMEMBERED {
            return;
        }
        let oldest = self
            .processes
            .iter()
            .find(|(_, p)| ended(p))
            .map(|(&n, _)| n);
        if let Some(number) = oldest.filter(|&n| n != INIT) {
            self.processes.remove(&number);
            self.names.retain(|_, &mut n| n != number);
        }
    }

    fn bury_clients(&mut self) {
        let over: Vec<u64> = self
            .clients
            .iter()
            .filter(|(_, client)| client.is_over())
            .map(|(&number, _)| number)
            .collect();
        for number in over {
            let Some(client) = self.clients.remove(&number) else {
                continue;
            };
            if let Mode::Attached(process, Streams { stdin: true, .. }) = client.mode
                && let Some(process) = self.processes.get_mut(&process)
            {
                process.feeder_left();
            }
        }
    }

    fn frame(&mut self, number: u64, frame: Frame) {
        let Some(mode) = self.clients.get(&number).map(|client| client.mode) else {
            return;
        };
        match mode {
            Mode::Asking => {
                let mut outlet = None;
                let (reply, mode) = match frame.parse::<Request>() {
                    Ok(request) => {
                        outlet = request.outlet();
                        self.answer(request).unwrap_or_else(|refusal| {
                            (Some(Reply::Refused(refusal)), Mode::Leaving)
                        })
                    }
                    Err(e) => {
                        let refusal = Refusal::failed("the request is not understood", &e);
                        (Some(Reply::Refused(refusal)), Mode::Leaving)
                    }
                };
                if let Some(client) = self.clients.get_mut(&number) {
                    client.mode = mode;
                    client.open_outlet(outlet);
                    if let Some(reply) = reply {
                        client.send(&Frame::json(&reply));
                    }
                }
                self.tell_memory();
                // Only after the answer: a process can end before its first client is told of it.
                if let Mode::Attached(process, _) | Mode::Waiting(process) = mode {
                    self.tell_if_over(process);
                }
            }
            Mode::Attached(process, streams) => self.input(process, streams, frame),
            Mode::Waiting(_) | Mode::Leaving => {}
        }
    }

    fn tell_if_over(&mut self, number: u64) {
        let over = self
            .processes
            .get(&number)
            .is_some_and(|p| p.ended().is_some());
        if over && number != INIT {
            let record = self.record(number, 0);
            self.tell_end(number, &record);
        }
    }

    fn input(&mut self, number: u64, streams: Streams, frame: Frame) {
        let Some(process) = self.processes.get_mut(&number) else {
            return;
        };
        match Input::try_from(frame) {
            Ok(Input::Stdin(bytes)) if streams.stdin => process.push_input(&bytes),
            Ok(Input::CloseStdin) if streams.stdin => process.close_input(),
            Ok(Input::Resize(size)) => drop(process.resize(size)),
            Ok(_) | Err(_) => {}
        }
    }
}
