//! The loop: streams to the log and to clients, requests to answers, the end to `exit.json`.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use kernel::cgroup::{Cgroup, OomWatch, Version};
use kernel::poll::{self, Interest, Ready};
use kernel::process::Patience;

use super::client::{Client, Mode};
use super::process::Process;
use crate::logs::json_file::{JsonFile, Stream};
use crate::runtime::cgroups;
use crate::runtime::handshake::{
    ExitRecord, Frame, Input, Output, Refusal, Reply, Request, Streams,
};
use crate::runtime::plan::Plan;
use crate::runtime::request::Sharing;

/// The number of the container's first process.
pub(super) const INIT: u64 = 0;

/// How many ended `exec` processes can still be asked about.
const REMEMBERED: usize = 64;

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
    log: Option<JsonFile>,
    listener: UnixListener,
    memory: Option<OomWatch>,
    oom_kills: u64,
    clients: BTreeMap<u64, Client>,
    pub(super) end: Option<ExitRecord>,
}

/// What a descriptor in the poll set belongs to.
#[derive(Clone, Copy, Debug)]
enum Owner {
    Listener,
    Memory,
    Client(u64),
    Ended(u64),
    Output(u64, Stream),
    Input(u64),
}

impl Shim {
    pub(super) fn new(
        plan: Plan,
        group: Cgroup,
        init: Process,
        log: Option<JsonFile>,
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
        while !self.clients.is_empty() && Instant::now() < until {
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
            let timeout = if stalled {
                Some(Duration::from_secs(1))
            } else {
                timeout
            };
            // A signal, or a descriptor that is gone: the next turn sees.
            let ready = poll::wait(&set, timeout).unwrap_or_default();
            (owners, ready)
        };
        for (owner, ready) in owners.into_iter().zip(ready).filter(|(_, r)| r.any()) {
            self.handle(owner, ready);
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
        for (&number, client) in &self.clients {
            let interest = match (self.listens_to(client), client.has_output()) {
                (true, true) => Interest::ReadWrite,
                (true, false) => Interest::Read,
                (false, true) => Interest::Write,
                (false, false) => Interest::Hangup,
            };
            set.push((Owner::Client(number), (client.stream.as_fd(), interest)));
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

    /// Whether a client of this process is so slow that the process must wait for it.
    fn is_held_up(&self, process: u64) -> bool {
        self.clients.values().any(|client| {
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
        for client in self.clients.values_mut() {
            if client.mode == Mode::Waiting(INIT) {
                client.send(&Frame::json(&Reply::OutOfMemory));
            }
        }
    }

    /// Passes on what a process has printed; whether there was anything.
    fn pump(&mut self, number: u64, stream: Stream) -> bool {
        let mut buffer = [0; 32 << 10];
        let Some(process) = self.processes.get_mut(&number) else {
            return false;
        };
        let Some(n) = process.read(stream, &mut buffer) else {
            return false;
        };
        let bytes = &buffer[..n];
        if number == INIT
            && let Some(log) = &mut self.log
        {
            // A full disk loses log lines; it does not stop the container.
            let _ = log.write(stream, bytes);
        }
        let frame = match stream {
            Stream::Stdout => Frame::from(Output::Stdout(bytes.to_vec())),
            Stream::Stderr => Frame::from(Output::Stderr(bytes.to_vec())),
        };
        for client in self.clients.values_mut() {
            if let Mode::Attached(process, streams) = client.mode
                && process == number
                && match stream {
                    Stream::Stdout => streams.stdout,
                    Stream::Stderr => streams.stderr,
                }
            {
                client.send(&frame);
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

    /// The container has ended.
    fn finish(&mut self) {
        if let Some(log) = &mut self.log {
            let _ = log.finish(Stream::Stdout);
            let _ = log.finish(Stream::Stderr);
        }
        if self.plan.namespaces.pid != Sharing::New {
            // No pid namespace dies with its init: what it started must be ended one by one.
            let _ = self.group.kill();
        }
        let ends: Vec<u64> = self.processes.keys().copied().collect();
        for number in ends {
            if let Some(process) = self.processes.get_mut(&number) {
                process.collect(Patience::Wait);
            }
        }
        let record = self.record(INIT, cgroups::oom_kills(&self.group));
        // Version 1 tells the removal of a group as if it were want of memory.
        self.memory = None;
        let _ = self.group.remove();
        self.save(&record);
        let others: Vec<u64> = self
            .processes
            .keys()
            .copied()
            .filter(|&n| n != INIT)
            .collect();
        for number in others {
            for stream in [Stream::Stdout, Stream::Stderr] {
                while self.pump(number, stream) {}
            }
            let record = self.record(number, 0);
            self.tell_end(number, &record);
        }
        self.tell_end(INIT, &record);
        for client in self.clients.values_mut() {
            if client.mode == Mode::Asking {
                client.mode = Mode::Leaving;
            }
        }
        self.end = Some(record);
    }

    /// Written whole or not at all: beside the name, then onto it.
    fn save(&self, record: &ExitRecord) {
        let path = self.plan.directory.join("exit.json");
        let beside = self.plan.directory.join("exit.json.new");
        let json = serde_json::to_vec(record).expect("a record has string keys only");
        let written = std::fs::File::create(&beside).and_then(|mut file| {
            file.write_all(&json)?;
            std::fs::rename(&beside, &path)
        });
        // The directory is gone: nobody will look for the container either.
        drop(written);
    }

    fn record(&self, number: u64, oom_kills: u64) -> ExitRecord {
        let process = &self.processes[&number];
        let (code, finished_at) = process
            .ended()
            .unwrap_or_else(|| (137, jiff::Timestamp::now()));
        ExitRecord {
            code,
            oom_killed: oom_kills > 0,
            started_at: process.started(),
            finished_at,
        }
    }

    fn tell_end(&mut self, number: u64, record: &ExitRecord) {
        for client in self.clients.values_mut() {
            let frame = match client.mode {
                Mode::Waiting(process) if process == number => {
                    Frame::json(&Reply::Exited(record.clone()))
                }
                Mode::Attached(process, _) if process == number => {
                    Frame::from(Output::Exited(record.clone()))
                }
                _ => continue,
            };
            client.send(&frame);
            client.mode = Mode::Leaving;
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
                let (reply, mode) = match frame.parse::<Request>() {
                    Ok(request) => self
                        .answer(request)
                        .unwrap_or_else(|refusal| (Some(Reply::Refused(refusal)), Mode::Leaving)),
                    Err(e) => {
                        let refusal = Refusal::failed("the request is not understood", &e);
                        (Some(Reply::Refused(refusal)), Mode::Leaving)
                    }
                };
                if let Some(client) = self.clients.get_mut(&number) {
                    client.mode = mode;
                    if let Some(reply) = reply {
                        client.send(&Frame::json(&reply));
                    }
                }
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
