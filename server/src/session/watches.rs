//! One watcher per machine, however many tabs show its checks.
//!
//! A `Watch` is a task that keeps one connection `{"open":"watch",…}` to the machine's keeper while
//! somebody looks, stores every verdict, and repeats it to each tab. It opens the connection again
//! when the machine was stopped, reset or restarted.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use labs::exercise::Exercise;
use labs::protocol::{Report, Request};
use tokio::sync::{broadcast, mpsc, oneshot};

use super::LearnerId;
use super::watching::{Task, Work};
use crate::machine::identity::MachineId;
use crate::machine::pool::{MachineState, Pool};
use crate::progress::{Progress, ProgressError};

/// Reports that a slow tab may be behind; then it is told everything again.
const BACKLOG: usize = 256;
/// How long a watcher is kept after the last tab has gone.
pub(super) const GRACE: Duration = Duration::from_secs(30);

/// The watches of this server.
pub(crate) struct Watches {
    pool: Arc<Pool>,
    progress: Progress,
    live: Mutex<HashMap<MachineId, Weak<Watch>>>,
}

/// One machine being watched.
pub(crate) struct Watch {
    learner: LearnerId,
    exercise: String,
    progress: Progress,
    work: mpsc::Sender<Work>,
    news: broadcast::Sender<News>,
    known: Mutex<Snapshot>,
}

/// Everything a tab must know to show the list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    /// The last report on each check and question.
    pub(crate) reports: BTreeMap<String, Report>,
    /// The last round.
    pub(crate) round: Option<Report>,
    /// Where the machine's programs can be reached.
    pub(crate) ports: Option<Report>,
    /// Where the machine stands.
    pub(crate) machine: Option<MachineState>,
}

/// What changed.
#[derive(Debug, Clone)]
pub(crate) enum News {
    /// The watcher said something.
    Report(Report),
    /// The machine changed.
    Machine(MachineState),
    /// The exercise starts again: everything said before is void.
    Reset,
}

/// Ends the pause of a watch when it is dropped.
pub(crate) struct Pause(
    #[expect(dead_code, reason = "its end is the message")] oneshot::Sender<()>,
);

impl Watches {
    /// No watch yet.
    pub(crate) fn new(pool: Arc<Pool>, progress: Progress) -> Self {
        Self {
            pool,
            progress,
            live: Mutex::default(),
        }
    }

    /// Joins the watch of the learner's machine, or begins it.
    pub(crate) async fn join(
        &self,
        learner: &LearnerId,
        exercise: &Exercise,
    ) -> Result<Arc<Watch>, ProgressError> {
        let id = MachineId::of(learner, exercise);
        if let Some(watch) = self.find(&id) {
            return Ok(watch);
        }
        let state = self
            .progress
            .exercise(learner.clone(), exercise.id.clone())
            .await?;
        let mut reports = BTreeMap::new();
        for (item, known) in state.items {
            if let Ok(report) = serde_json::from_str(&known.report) {
                reports.insert(item, report);
            }
        }
        let (work, orders) = mpsc::channel(16);
        let watch = Arc::new(Watch {
            learner: learner.clone(),
            exercise: exercise.id.clone(),
            progress: self.progress.clone(),
            work,
            news: broadcast::channel(BACKLOG).0,
            known: Mutex::new(Snapshot {
                reports,
                ..Snapshot::default()
            }),
        });
        // Another tab may have begun it while the database was read.
        let mut live = self.lock();
        if let Some(other) = live.get(&id).and_then(Weak::upgrade) {
            return Ok(other);
        }
        live.retain(|_, watch| watch.strong_count() > 0);
        live.insert(id.clone(), Arc::downgrade(&watch));
        drop(live);
        tokio::spawn(
            Task {
                id,
                exercise: exercise.clone(),
                pool: Arc::clone(&self.pool),
                watch: Arc::clone(&watch),
                orders,
            }
            .run(),
        );
        Ok(watch)
    }

    /// Lets go of a machine that is about to start again, and forgets what was said of it.
    ///
    /// The watch goes on when the returned value is dropped.
    pub(crate) async fn restart(
        &self,
        learner: &LearnerId,
        exercise: &Exercise,
    ) -> Result<Option<Pause>, ProgressError> {
        let mut pause = None;
        if let Some(watch) = self.find(&MachineId::of(learner, exercise)) {
            let (done, finished) = oneshot::channel();
            let (hold, resume) = oneshot::channel();
            if watch.work.send(Work::Pause { done, resume }).await.is_ok() {
                // An error means that the task has ended: nothing is watched.
                let _ = finished.await;
                pause = Some(Pause(hold));
            }
            watch.forget();
        }
        self.progress
            .restart(learner.clone(), exercise.id.clone())
            .await?;
        Ok(pause)
    }

    fn find(&self, id: &MachineId) -> Option<Arc<Watch>> {
        self.lock().get(id).and_then(Weak::upgrade)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<MachineId, Weak<Watch>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// Everything known now, and everything that comes after.
    pub(crate) fn listen(&self) -> (Snapshot, broadcast::Receiver<News>) {
        let known = self.lock();
        (known.clone(), self.news.subscribe())
    }

    /// Passes a learner's wish on; an answer is stored first, and outlives the machine.
    pub(crate) async fn ask(&self, request: Request) -> Result<(), ProgressError> {
        if let Request::Answer(answer) = &request {
            let (question, value) = (answer.id.clone(), answer.value.clone());
            self.progress
                .answer(self.learner.clone(), self.exercise.clone(), question, value)
                .await?;
        }
        // A full queue means that many wishes wait already; the watcher looks by itself anyway.
        let _ = self.work.try_send(Work::Ask(request));
        Ok(())
    }

    /// Whose machine it is.
    pub(super) fn learner(&self) -> &LearnerId {
        &self.learner
    }

    /// Where verdicts are stored.
    pub(super) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Whether a tab listens.
    pub(super) fn is_watched(&self) -> bool {
        self.news.receiver_count() > 0
    }

    /// Remembers news and repeats them.
    pub(super) fn tell(&self, news: News) {
        let mut known = self.lock();
        match &news {
            News::Report(report @ Report::Check { check: id, .. })
            | News::Report(report @ Report::Question { question: id, .. }) => {
                known.reports.insert(id.clone(), report.clone());
            }
            News::Report(report @ Report::Round { .. }) => known.round = Some(report.clone()),
            News::Report(report @ Report::Ports { .. }) => known.ports = Some(report.clone()),
            News::Machine(state) => {
                if *state != MachineState::Ready {
                    known.ports = None;
                }
                known.machine = Some(state.clone());
            }
            News::Reset => {
                known.reports.clear();
                known.round = None;
                known.ports = None;
            }
        }
        // Nobody listening is not an error.
        let _ = self.news.send(news);
    }

    fn forget(&self) {
        self.tell(News::Reset);
    }

    fn lock(&self) -> MutexGuard<'_, Snapshot> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
