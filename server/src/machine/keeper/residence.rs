//! What the keeper looks after besides terminals: the inner stage, the engine, watchers.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use kernel::error::SysError;
use kernel::process::{self, Exit, Patience, Signal};
use kernel::signal::Inbox;
use serde_json::Value;

use super::engine::Engine;
use super::household::{Household, NoShell, Shell, Then};
use super::inner_stage::{InnerError, InnerStage};
use super::outer;
use super::screen::Size;
use super::visitors;
use crate::machine::cable::Cable;
use crate::machine::inner::Ending;
use crate::machine::stage::story;
use crate::machine::uplink::Uplink;

/// The parts of one machine.
pub(super) struct Residence {
    signals: Inbox,
    inner: InnerStage,
    uplink: Option<Uplink>,
    cable: Option<Cable>,
    engine: Engine,
}

impl Residence {
    /// Starts the inner stage of a built outer stage.
    pub(super) fn settle(uplink: Option<Uplink>, cable: Option<Cable>) -> Result<Self, InnerError> {
        let signals = Inbox::open(&[Signal::CHLD, Signal::TERM, Signal::INT, Signal::HUP])?;
        Ok(Self {
            signals,
            inner: InnerStage::start(uplink.as_ref(), cable.as_ref(), None)?,
            uplink,
            cable,
            engine: Engine::default(),
        })
    }

    fn reap(&mut self) -> Result<Then, SysError> {
        let mut then = Then::Continue;
        while let Some((pid, exit)) = process::reap(Patience::Poll)? {
            if pid == self.inner.init.pid {
                then = self.inner_ended(exit);
            } else {
                self.engine.ended(pid, exit);
            }
        }
        Ok(then)
    }

    fn inner_ended(&mut self, exit: Exit) -> Then {
        let ending = match exit {
            Exit::Code(code) => Ending::of(code),
            Exit::Signal(_) => None,
        };
        if ending == Some(Ending::PowerOff) {
            return Then::Stop;
        }
        if ending.is_none() {
            eprintln!("keeper: the inner stage ended unexpectedly: {exit:?}");
        }
        // Its containers are gone with its pid namespace; an engine that remembers them is not.
        self.engine.kill();
        let again = outer::unmount_inner_sys()
            .map_err(InnerError::from)
            .and_then(|()| {
                let (uplink, cable) = (self.uplink.as_ref(), self.cable.as_ref());
                InnerStage::start(uplink, cable, Some(&self.inner))
            });
        match again {
            Ok(inner) => {
                self.inner = inner;
                Then::Continue
            }
            Err(error) => {
                eprintln!(
                    "keeper: the inner stage cannot be started: {}",
                    story(&error)
                );
                Then::Stop
            }
        }
    }
}

impl Household for Residence {
    fn open_shell(&mut self, _terminal: &str, size: Size) -> Result<Shell, NoShell> {
        self.inner.open_shell(size)
    }

    fn adopt(&mut self, stream: UnixStream, opening: Value, early: Vec<u8>) {
        let house = visitors::House {
            inner: &self.inner,
            engine: &self.engine,
            cable: self.cable.as_ref(),
        };
        visitors::receive(&house, stream, &opening, early);
    }

    fn watched(&self) -> Vec<BorrowedFd<'_>> {
        let mut all = vec![self.signals.as_fd()];
        if self.engine.is_wanted() {
            all.push(self.inner.docker.as_fd());
        }
        all
    }

    fn patience(&self) -> Option<Duration> {
        self.engine.patience()
    }

    fn react(&mut self, ready: &[usize]) -> Then {
        loop {
            match self.signals.next() {
                Ok(None) => break,
                Ok(Some(Signal::TERM)) => return Then::Stop,
                Ok(Some(_)) => {}
                Err(error) => {
                    eprintln!("keeper: {}", story(&error));
                    break;
                }
            }
        }
        // The second place is the docker socket, when it is watched.
        if ready.contains(&1) && self.engine.is_wanted() {
            self.engine
                .start(self.inner.init.pid, self.inner.docker.as_fd());
        }
        // Signals of several children may have become one: look whether one came or not.
        self.reap().unwrap_or_else(|error| {
            eprintln!("keeper: {}", story(&error));
            Then::Continue
        })
    }
}

impl Drop for Residence {
    fn drop(&mut self) {
        self.inner.kill();
    }
}
