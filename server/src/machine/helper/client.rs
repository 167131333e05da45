//! The helper as the web process sees it.

use std::sync::Arc;

use labs::exercise::Exercise;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::Mutex;
use web::messages::say;

use super::spawn::HelperSocket;
use super::verbs::{Done, Failure, Listed, Listing, Reply, Start, Verb};
use crate::machine::cable::Cable;
use crate::machine::identity::MachineId;
use crate::machine::pool::{Answer, Launcher, MachineError};
use crate::machine::spec::{Limits, Network};

/// Starts and stops machines by asking the helper.
#[derive(Clone)]
pub(crate) struct Machines {
    line: Arc<Mutex<BufReader<UnixStream>>>,
    limits: Limits,
    network: Network,
}

impl Machines {
    /// Speaks over the socket of `spawn_and_drop`; call it inside the async runtime.
    pub(crate) fn new(
        socket: HelperSocket,
        limits: Limits,
        network: Network,
    ) -> std::io::Result<Self> {
        socket.0.set_nonblocking(true)?;
        let stream = UnixStream::from_std(socket.0)?;
        Ok(Self {
            line: Arc::new(Mutex::new(BufReader::new(stream))),
            limits,
            network,
        })
    }

    /// Stops a machine and forgets it with its disk.
    pub(crate) fn delete(&self, id: MachineId) -> Answer<()> {
        self.ask(Verb::Delete { id }, |_| ())
    }

    fn ask<T: Send + 'static>(&self, verb: Verb, read: fn(Vec<Listed>) -> T) -> Answer<T> {
        let line = Arc::clone(&self.line);
        Box::pin(async move {
            // A task of its own: a page that goes away must not leave half a conversation behind.
            let asked = tokio::spawn(exchange(line, verb)).await;
            let reply = asked.map_err(|e| broken(&e))?.map_err(|e| broken(&e))?;
            match reply {
                Reply::Ok(Done { machines }) => Ok(read(machines)),
                Reply::Error(failure) => Err(failure.into()),
            }
        })
    }

    fn wish(&self, id: MachineId, exercise: &Exercise) -> Start {
        let cable = <[String; 2]>::try_from(exercise.machine.hosts.clone()).ok();
        let cable = cable.and_then(|hosts| {
            let place = exercise.machine.place.try_into().ok()?;
            Some(Cable { place, hosts })
        });
        Start {
            id,
            cable,
            image: format!("quai/{}:latest", exercise.machine.image),
            limits: self.limits,
            network: self.network,
        }
    }
}

impl Launcher for Machines {
    fn start(&self, id: MachineId, exercise: &Exercise) -> Answer<()> {
        self.ask(Verb::Start(self.wish(id, exercise)), |_| ())
    }

    fn stop(&self, id: MachineId) -> Answer<()> {
        self.ask(Verb::Stop { id }, |_| ())
    }

    fn reset(&self, id: MachineId, exercise: &Exercise) -> Answer<()> {
        self.ask(Verb::Reset(self.wish(id, exercise)), |_| ())
    }

    fn list(&self) -> Answer<Vec<MachineId>> {
        self.ask(Verb::List, |machines| {
            let alive = machines.into_iter().filter(|m| m.state == Listing::Alive);
            alive.map(|m| m.id).collect()
        })
    }
}

async fn exchange(line: Arc<Mutex<BufReader<UnixStream>>>, verb: Verb) -> std::io::Result<Reply> {
    let mut text = serde_json::to_vec(&verb)?;
    text.push(b'\n');
    let mut line = line.lock().await;
    line.get_mut().write_all(&text).await?;
    let mut reply = String::new();
    if line.read_line(&mut reply).await? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_str(&reply)?)
}

fn broken(error: &dyn std::error::Error) -> MachineError {
    Failure {
        what: say("machine.failed-to.answer", &[]),
        why: error.to_string(),
        remedy: say("machine.remedy.answer", &[]),
    }
    .into()
}
