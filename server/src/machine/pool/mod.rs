//! One machine per learner and exercise: started when first needed, stopped when others need room.
//!
//! The pool knows states and leases; starting and stopping is the helper's work, behind `Launcher`.
//! A stopped machine keeps its disk: the next lease starts it again.

use std::collections::HashMap;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use labs::exercise::Exercise;
use tokio::sync::watch;

use super::identity::MachineId;
use crate::session::LearnerId;

/// What a helper's answer will be.
pub(crate) type Answer<T> = Pin<Box<dyn Future<Output = Result<T, MachineError>> + Send>>;

/// Whoever really starts and stops machines.
pub(crate) trait Launcher: Send + Sync {
    /// Starts a machine, or finds it already alive.
    fn start(&self, id: MachineId, exercise: &Exercise) -> Answer<()>;
    /// Stops it; its disk stays.
    fn stop(&self, id: MachineId) -> Answer<()>;
    /// Stops it, forgets its disk and starts it again.
    fn reset(&self, id: MachineId, exercise: &Exercise) -> Answer<()>;
    /// The machines that are alive.
    fn list(&self) -> Answer<Vec<MachineId>>;
}

/// What failed, why, what to do: in French, for the page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {why}")]
pub(crate) struct MachineError {
    /// What failed.
    pub(crate) what: String,
    /// Why.
    pub(crate) why: String,
    /// What to do.
    pub(crate) remedy: String,
}

/// Where a machine stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MachineState {
    /// Not started since this server runs.
    Absent,
    /// The helper is at work.
    Starting,
    /// Its keeper's socket can be opened.
    Ready,
    /// It was alive and no longer is.
    Stopped,
    /// It could not be started.
    Failed(MachineError),
}

/// How many machines may live at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Capacity(pub(crate) usize);

impl Capacity {
    /// What a machine that is being used takes, on average: a shell, its engine, a few containers.
    const TYPICAL: u64 = 256 << 20;

    /// Three quarters of this host's memory, and never fewer than two machines.
    pub(crate) fn of_this_host() -> Self {
        let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        Self::of_memory(total_memory(&text).unwrap_or(0))
    }

    fn of_memory(bytes: u64) -> Self {
        let machines = bytes / 4 * 3 / Self::TYPICAL;
        Self(usize::try_from(machines).unwrap_or(usize::MAX).max(2))
    }
}

/// `MemTotal` of proc_meminfo(5), in bytes.
fn total_memory(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// The machines of this server.
pub(crate) struct Pool {
    launcher: Arc<dyn Launcher>,
    sockets: PathBuf,
    capacity: Capacity,
    machines: Mutex<HashMap<MachineId, Entry>>,
}

struct Entry {
    state: watch::Sender<MachineState>,
    /// One start, stop or reset at a time.
    gate: Arc<tokio::sync::Mutex<()>>,
    leases: usize,
    last_used: Instant,
}

/// The right to use a live machine; while one exists the machine is not stopped to make room.
pub(crate) struct Lease {
    pool: Arc<Pool>,
    id: MachineId,
}

impl Pool {
    /// A pool that has not looked for live machines yet; `sockets` is the keepers' folder.
    pub(crate) fn new(launcher: Arc<dyn Launcher>, sockets: PathBuf, capacity: Capacity) -> Self {
        Self {
            launcher,
            sockets,
            capacity,
            machines: Mutex::new(HashMap::new()),
        }
    }

    /// Finds the machines that a former server left alive.
    pub(crate) async fn adopt(&self) -> Result<usize, MachineError> {
        let alive = self.launcher.list().await?;
        for id in &alive {
            self.set(id, MachineState::Ready);
        }
        Ok(alive.len())
    }

    /// Starts the learner's machine for an exercise if needed, and holds it.
    pub(crate) async fn lease(
        self: &Arc<Self>,
        learner: &LearnerId,
        exercise: &Exercise,
    ) -> Result<Lease, MachineError> {
        let id = MachineId::of(learner, exercise);
        // Held from now on, so that nobody stops the machine between its start and its use.
        let lease = self.hold(id.clone());
        let gate = self.gate(&id);
        let _turn = gate.lock().await;
        if self.state(&id) == MachineState::Ready && self.answers(&id).await {
            return Ok(lease);
        }
        self.make_room(&id).await?;
        self.set(&id, MachineState::Starting);
        self.settle(&id, self.launcher.start(id.clone(), exercise))
            .await?;
        Ok(lease)
    }

    /// Holds a machine that lives, without starting one that does not.
    pub(crate) fn hold_live(self: &Arc<Self>, id: &MachineId) -> Option<Lease> {
        let known = self.lock().contains_key(id);
        (known && self.state(id) == MachineState::Ready).then(|| self.hold(id.clone()))
    }

    /// Brings the learner's machine back to its first state.
    pub(crate) async fn reset(
        self: &Arc<Self>,
        learner: &LearnerId,
        exercise: &Exercise,
    ) -> Result<Lease, MachineError> {
        let id = MachineId::of(learner, exercise);
        let lease = self.hold(id.clone());
        let gate = self.gate(&id);
        let _turn = gate.lock().await;
        self.make_room(&id).await?;
        self.set(&id, MachineState::Starting);
        self.settle(&id, self.launcher.reset(id.clone(), exercise))
            .await?;
        Ok(lease)
    }

    /// Follows the state of a machine, started or not.
    pub(crate) fn follow(&self, id: &MachineId) -> watch::Receiver<MachineState> {
        self.with(id, |entry| entry.state.subscribe())
    }

    /// Someone found the machine's socket closed: looks whether it still lives.
    pub(crate) async fn suspect(&self, id: &MachineId) {
        let gate = self.gate(id);
        let _turn = gate.lock().await;
        if self.state(id) == MachineState::Ready && !self.answers(id).await {
            self.set(id, MachineState::Stopped);
        }
    }

    /// The keeper's socket of a machine.
    pub(crate) fn socket(&self, id: &MachineId) -> PathBuf {
        self.sockets.join(format!("{id}.sock"))
    }

    /// How many machines are alive.
    pub(crate) fn alive(&self) -> usize {
        let machines = self.lock();
        machines.values().filter(|entry| entry.counts()).count()
    }

    async fn settle(&self, id: &MachineId, answer: Answer<()>) -> Result<(), MachineError> {
        let done = answer.await;
        if let Err(error) = &done {
            tracing::error!(%error, remedy = error.remedy, "the helper refused");
        }
        self.set(
            id,
            match &done {
                Ok(()) => MachineState::Ready,
                Err(error) => MachineState::Failed(error.clone()),
            },
        );
        done
    }

    /// Stops the oldest idle machines until one more fits.
    async fn make_room(&self, newcomer: &MachineId) -> Result<(), MachineError> {
        while let Some(victim) = self.too_many(newcomer)? {
            tracing::info!(machine = %victim, "stopped to make room");
            let done = self.launcher.stop(victim.clone()).await;
            self.set(&victim, MachineState::Stopped);
            done?;
        }
        Ok(())
    }

    fn too_many(&self, newcomer: &MachineId) -> Result<Option<MachineId>, MachineError> {
        let machines = self.lock();
        let others = || {
            machines
                .iter()
                .filter(|(id, entry)| *id != newcomer && entry.counts())
        };
        if others().count() < self.capacity.0 {
            return Ok(None);
        }
        let idle = others().filter(|(_, entry)| entry.leases == 0);
        match idle.min_by_key(|(_, entry)| entry.last_used) {
            Some((id, _)) => Ok(Some(id.clone())),
            None => Err(MachineError {
                what: web::messages::say("machine.full.what", &[]),
                why: web::messages::say(
                    "machine.full.why",
                    &[("count", &self.capacity.0.to_string())],
                ),
                remedy: web::messages::say("machine.full.remedy", &[]),
            }),
        }
    }

    async fn answers(&self, id: &MachineId) -> bool {
        tokio::net::UnixStream::connect(self.socket(id))
            .await
            .is_ok()
    }

    fn hold(self: &Arc<Self>, id: MachineId) -> Lease {
        self.with(&id, |entry| {
            entry.leases += 1;
            entry.last_used = Instant::now();
        });
        Lease {
            pool: Arc::clone(self),
            id,
        }
    }

    fn gate(&self, id: &MachineId) -> Arc<tokio::sync::Mutex<()>> {
        self.with(id, |entry| Arc::clone(&entry.gate))
    }

    fn state(&self, id: &MachineId) -> MachineState {
        self.with(id, |entry| entry.state.borrow().clone())
    }

    fn set(&self, id: &MachineId, state: MachineState) {
        self.with(id, |entry| entry.state.send_replace(state));
    }

    fn with<T>(&self, id: &MachineId, work: impl FnOnce(&mut Entry) -> T) -> T {
        work(self.lock().entry(id.clone()).or_insert_with(Entry::new))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<MachineId, Entry>> {
        // Nothing in these short sections can leave an entry half changed.
        self.machines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn new() -> Self {
        Self {
            state: watch::channel(MachineState::Absent).0,
            gate: Arc::default(),
            leases: 0,
            last_used: Instant::now(),
        }
    }

    /// Whether it takes memory now.
    fn counts(&self) -> bool {
        matches!(
            *self.state.borrow(),
            MachineState::Ready | MachineState::Starting
        )
    }
}

impl Lease {
    /// Which machine is held.
    #[cfg(test)]
    pub(crate) fn id(&self) -> &MachineId {
        &self.id
    }

    /// Its keeper's socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.pool.socket(&self.id)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.pool.with(&self.id, |entry| {
            entry.leases -= 1;
            entry.last_used = Instant::now();
        });
    }
}

#[cfg(test)]
mod tests;
