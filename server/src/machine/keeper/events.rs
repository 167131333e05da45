//! The keeper's loop: one thread, one poll(2), all terminals, clients and the household.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use kernel::error::SysError;
use kernel::poll::{self, Interest, Ready};

use super::client::{Client, Gone};
use super::household::{Household, Then};
use super::opening::{OpenTerminal, Opening, OpeningError, Visitor};
use super::screen::Size;
use super::terminal::{Audience, Terminal};
use super::wire::FromClient;

/// Terminals of one machine.
const MAX_TERMINALS: usize = 16;
/// Connections of all kinds that are not handed to the household.
const MAX_CONNECTIONS: usize = 64;
/// After a failed accept (no descriptor left), the listener rests this long.
const DEAF: Duration = Duration::from_millis(200);

/// Serves terminals on `listener` until the household says to stop.
pub(crate) fn run(listener: &UnixListener, household: &mut dyn Household) -> Result<(), SysError> {
    poll::set_nonblocking(listener.as_fd())?;
    let mut house = House::default();
    loop {
        let then = house.turn(listener, household)?;
        if then == Then::Stop {
            house.farewell();
            return Ok(());
        }
    }
}

#[derive(Default)]
struct House {
    terminals: BTreeMap<String, Terminal>,
    clients: BTreeMap<u64, Client>,
    visitors: BTreeMap<u64, Visitor>,
    next_id: u64,
    deaf_until: Option<Instant>,
}

/// What a polled descriptor belongs to.
enum Source {
    Listener,
    Household(usize),
    Visitor(u64),
    Client(u64),
    Master(String),
    Shell(String),
}

impl House {
    fn turn(
        &mut self,
        listener: &UnixListener,
        household: &mut dyn Household,
    ) -> Result<Then, SysError> {
        let now = Instant::now();
        self.deaf_until = self.deaf_until.filter(|until| *until > now);
        let events = self.wait(listener, household, now)?;
        let now = Instant::now();
        let mut in_household = Vec::new();
        for (source, ready) in events {
            match source {
                Source::Household(place) => in_household.push(place),
                Source::Listener => self.accept(listener, now),
                Source::Visitor(id) => self.hear(id, now, household),
                Source::Client(id) => self.read_client(id, ready),
                Source::Master(name) => self.read_master(&name, ready, now),
                Source::Shell(name) => self.bury(&name, now),
            }
        }
        let then = household.react(&in_household);
        self.expire_visitors(now, household);
        self.obey_clients(now);
        self.tend(now, household);
        self.pump();
        Ok(then)
    }

    /// Sleeps until something happens, and says what.
    fn wait(
        &self,
        listener: &UnixListener,
        household: &dyn Household,
        now: Instant,
    ) -> Result<Vec<(Source, Ready)>, SysError> {
        let mut set: Vec<(BorrowedFd<'_>, Interest)> = Vec::new();
        let mut sources = Vec::new();
        let mut add = |source, (fd, interest)| {
            sources.push(source);
            set.push((fd, interest));
        };
        if self.deaf_until.is_none() {
            add(Source::Listener, (listener.as_fd(), Interest::Read));
        }
        for (place, fd) in household.watched().into_iter().enumerate() {
            add(Source::Household(place), (fd, Interest::Read));
        }
        for (id, visitor) in &self.visitors {
            add(Source::Visitor(*id), (visitor.fd(), Interest::Read));
        }
        for (id, client) in &self.clients {
            if let Some(terminal) = self.terminals.get(client.terminal()) {
                add(Source::Client(*id), client.waits_for(terminal));
            }
        }
        for (name, terminal) in &self.terminals {
            if let Some(master) = terminal.master(self.audience(name), now) {
                add(Source::Master(name.clone()), master);
            }
            if let Some(pidfd) = terminal.pidfd() {
                add(Source::Shell(name.clone()), (pidfd, Interest::Read));
            }
        }
        let ready = poll::wait(&set, self.patience(household, now))?;
        let events = sources.into_iter().zip(ready);
        Ok(events.filter(|(_, ready)| ready.any()).collect())
    }

    fn patience(&self, household: &dyn Household, now: Instant) -> Option<Duration> {
        let terminals = self.terminals.values().filter_map(|t| t.wakes_at(now));
        let visitors = self.visitors.values().map(Visitor::until);
        let soonest = terminals.chain(visitors).chain(self.deaf_until).min();
        let ours = soonest.map(|at| at.saturating_duration_since(now));
        ours.into_iter().chain(household.patience()).min()
    }

    /// The fastest client sets the pace of a terminal.
    fn audience(&self, terminal: &str) -> Audience {
        let clients = self.clients.values().filter(|c| c.terminal() == terminal);
        clients
            .map(Client::drawn)
            .max()
            .map_or(Audience::Nobody, Audience::Drawn)
    }

    fn accept(&mut self, listener: &UnixListener, now: Instant) {
        loop {
            match listener.accept() {
                Ok((stream, _)) => self.admit(stream, now),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    self.deaf_until = Some(now + DEAF);
                    return;
                }
            }
        }
    }

    fn admit(&mut self, stream: UnixStream, now: Instant) {
        if self.visitors.len() + self.clients.len() >= MAX_CONNECTIONS {
            tracing::warn!("refused a connection: {MAX_CONNECTIONS} are open");
            return;
        }
        if let Err(error) = stream.set_nonblocking(true) {
            tracing::warn!(%error, "refused a connection");
            return;
        }
        self.next_id += 1;
        self.visitors
            .insert(self.next_id, Visitor::new(stream, now));
    }

    fn hear(&mut self, id: u64, now: Instant, household: &mut dyn Household) {
        let Some(visitor) = self.visitors.get_mut(&id) else {
            return;
        };
        let heard = visitor.read(now);
        if matches!(heard, Ok(None)) {
            return;
        }
        let Some(visitor) = self.visitors.remove(&id) else {
            return;
        };
        match heard {
            Ok(Some((Opening::Terminal(open), early))) => {
                self.open_terminal(id, visitor.into_stream(), &open, &early, now);
            }
            Ok(Some((Opening::Other(line), early))) => {
                household.adopt(visitor.into_stream(), line, early);
            }
            Err(OpeningError::Closed) | Ok(None) => {}
            Err(error) => tracing::warn!(%error, "refused a connection"),
        }
    }

    fn open_terminal(
        &mut self,
        id: u64,
        stream: UnixStream,
        open: &OpenTerminal,
        early: &[u8],
        now: Instant,
    ) {
        if !self.terminals.contains_key(&open.name) && self.terminals.len() >= MAX_TERMINALS {
            tracing::warn!("refused a terminal: {MAX_TERMINALS} are open");
            return;
        }
        let terminal = self
            .terminals
            .entry(open.name.clone())
            .or_insert_with(|| Terminal::new(open.name.clone(), open.size()));
        terminal.encourage(now);
        let client = Client::new(
            stream,
            open.name.clone(),
            open.resume,
            early,
            terminal.ring(),
        );
        self.clients.insert(id, client);
        self.resize(id, open.size());
    }

    fn read_client(&mut self, id: u64, ready: Ready) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        // A hang-up may come with a last frame still to read; the end is found by reading.
        if (ready.readable || ready.hangup)
            && let Err(gone) = client.read()
        {
            self.part(id, &gone);
        }
    }

    fn read_master(&mut self, name: &str, ready: Ready, now: Instant) {
        let audience = self.audience(name);
        let Some(terminal) = self.terminals.get_mut(name) else {
            return;
        };
        if ready.writable {
            terminal.flush_input();
        }
        if ready.readable || ready.hangup {
            terminal.read_output(audience, now);
        }
    }

    fn bury(&mut self, name: &str, now: Instant) {
        if let Some(terminal) = self.terminals.get_mut(name) {
            let notices = terminal.shell_ended(now);
            self.notify(name, &notices);
        }
    }

    fn expire_visitors(&mut self, now: Instant, household: &mut dyn Household) {
        let late: Vec<u64> = self
            .visitors
            .iter()
            .filter(|(_, visitor)| visitor.until() <= now)
            .map(|(id, _)| *id)
            .collect();
        for id in late {
            self.hear(id, now, household);
        }
    }

    /// Does what clients asked for, as long as their terminals take input.
    fn obey_clients(&mut self, now: Instant) {
        let ids: Vec<u64> = self.clients.keys().copied().collect();
        for id in ids {
            while let Some((name, frame)) = self.next_frame(id) {
                match frame {
                    FromClient::Ack(seq) => {
                        if let Some(client) = self.clients.get_mut(&id) {
                            client.acknowledge(seq);
                        }
                    }
                    FromClient::Resize { cols, rows } => {
                        self.resize(id, Size::clamped(cols, rows));
                    }
                    FromClient::Input(bytes) => {
                        if let Some(terminal) = self.terminals.get_mut(&name) {
                            terminal.encourage(now);
                            terminal.type_in(&bytes);
                        }
                    }
                    FromClient::Close => self.close(&name),
                }
            }
        }
    }

    fn next_frame(&mut self, id: u64) -> Option<(String, FromClient)> {
        let client = self.clients.get_mut(&id)?;
        let terminal = self.terminals.get(client.terminal())?;
        if !terminal.accepts_input() {
            return None;
        }
        match client.next() {
            Ok(frame) => frame.map(|frame| (client.terminal().to_owned(), frame)),
            Err(gone) => {
                self.part(id, &gone);
                None
            }
        }
    }

    /// The last window to change decides; the others get the screen again at that size.
    fn resize(&mut self, by: u64, size: Size) {
        let Some(name) = self.clients.get(&by).map(|c| c.terminal().to_owned()) else {
            return;
        };
        let Some(terminal) = self.terminals.get_mut(&name) else {
            return;
        };
        if terminal.screen().size() == size {
            return;
        }
        terminal.resize(size);
        let others = self.clients.iter_mut().filter(|(id, _)| **id != by);
        for (_, client) in others.filter(|(_, client)| client.terminal() == name) {
            client.needs_screen();
        }
    }

    /// Closing the master hangs up on the shell and everything that runs in the terminal.
    fn close(&mut self, name: &str) {
        self.notify(name, &[r#"{"terminal":"closed"}"#.to_owned()]);
        self.pump();
        self.terminals.remove(name);
        self.clients.retain(|_, client| client.terminal() != name);
    }

    fn tend(&mut self, now: Instant, household: &mut dyn Household) {
        let names: Vec<String> = self.terminals.keys().cloned().collect();
        for name in names {
            if let Some(terminal) = self.terminals.get_mut(&name) {
                let notices = terminal.tend(now, household);
                self.notify(&name, &notices);
            }
        }
    }

    fn pump(&mut self) {
        let mut gone = Vec::new();
        for (id, client) in &mut self.clients {
            let Some(terminal) = self.terminals.get(client.terminal()) else {
                continue;
            };
            if let Err(reason) = client.pump(terminal) {
                gone.push((*id, reason));
            }
        }
        for (id, reason) in gone {
            self.part(id, &reason);
        }
    }

    fn notify(&mut self, terminal: &str, notices: &[String]) {
        let clients = self.clients.values_mut();
        for client in clients.filter(|client| client.terminal() == terminal) {
            notices.iter().for_each(|notice| client.notify(notice));
        }
    }

    fn part(&mut self, id: u64, gone: &Gone) {
        if let Gone::Dishonest(error) = gone {
            tracing::warn!(%error, "closed a terminal's connection");
        }
        self.clients.remove(&id);
    }

    fn farewell(&mut self) {
        for client in self.clients.values_mut() {
            client.notify(r#"{"machine":"stopped"}"#);
        }
        self.pump();
    }
}
