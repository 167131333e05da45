//! The task behind one `Watch`: connect when the machine is ready, relay, store, connect again.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use labs::exercise::Exercise;
use labs::protocol::{Opening, Report, Request};
use labs::verdict::Verdict;
use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::watches::{GRACE, News, Watch};
use crate::error::chain;
use crate::machine::identity::MachineId;
use crate::machine::pool::{MachineState, Pool};
use crate::progress::{Known, ProgressError};
use crate::session::LearnerId;

/// Between two attempts to reach a keeper.
const RETRY: Duration = Duration::from_secs(1);
/// How often the task looks whether somebody still watches.
const LOOK: Duration = Duration::from_secs(10);

/// What the task is asked to do.
pub(super) enum Work {
    /// Passes a wish to the watcher.
    Ask(Request),
    /// Lets the connection go, says so, and waits.
    Pause {
        /// The connection is gone.
        done: oneshot::Sender<()>,
        /// Ends with the pause.
        resume: oneshot::Receiver<()>,
    },
}

/// The task of one watch.
pub(super) struct Task {
    pub(super) id: MachineId,
    pub(super) exercise: Exercise,
    pub(super) pool: Arc<Pool>,
    pub(super) watch: Arc<Watch>,
    pub(super) orders: mpsc::Receiver<Work>,
}

/// Why a connection ended.
enum End {
    /// The keeper or the watcher closed it.
    Lost,
    /// Nobody has looked for a while.
    Unwatched,
}

/// What the task waited for.
enum Event {
    Line(io::Result<Option<String>>),
    Order(Option<Work>),
    Look,
}

#[derive(Debug, thiserror::Error)]
enum WatchError {
    #[error("cannot speak with the keeper")]
    Socket(#[from] io::Error),
    #[error("cannot store a verdict")]
    Progress(#[from] ProgressError),
    #[error("cannot write the opening line")]
    Opening(#[from] serde_json::Error),
}

#[derive(Serialize)]
struct OpeningLine<'a> {
    open: &'a str,
    #[serde(flatten)]
    opening: Opening,
}

struct Link {
    lines: Lines<BufReader<OwnedReadHalf>>,
    write: OwnedWriteHalf,
}

impl Task {
    /// Watches until nobody looks any more.
    pub(super) async fn run(mut self) {
        let mut states = self.pool.follow(&self.id);
        let mut unwatched_since = Instant::now();
        loop {
            let state = states.borrow_and_update().clone();
            let ready = state == MachineState::Ready;
            self.watch.tell(News::Machine(state));
            if ready {
                match self.connected(&mut states).await {
                    Ok(End::Unwatched) => return,
                    Ok(End::Lost) => {}
                    Err(error) => {
                        tracing::warn!(machine = %self.id, error = %chain(&error), "watch lost");
                    }
                }
                self.pool.suspect(&self.id).await;
                unwatched_since = Instant::now();
            }
            tokio::select! {
                _ = states.changed() => {}
                order = self.orders.recv() => self.idle_order(order).await,
                () = tokio::time::sleep(if ready { RETRY } else { LOOK }) => {}
            }
            if self.watch.is_watched() {
                unwatched_since = Instant::now();
            } else if unwatched_since.elapsed() > GRACE {
                return;
            }
        }
    }

    /// One connection, from its opening line to its end.
    async fn connected(
        &mut self,
        states: &mut tokio::sync::watch::Receiver<MachineState>,
    ) -> Result<End, WatchError> {
        let mut link = self.open().await?;
        let mut look = tokio::time::interval(LOOK);
        let mut watched = Instant::now();
        loop {
            let event = tokio::select! {
                line = link.lines.next_line() => Event::Line(line),
                order = self.orders.recv() => Event::Order(order),
                changed = states.changed() => {
                    if changed.is_err() || *states.borrow() != MachineState::Ready {
                        states.mark_changed();
                        return Ok(End::Lost);
                    }
                    continue;
                }
                _ = look.tick() => Event::Look,
            };
            match event {
                Event::Line(line) => match line? {
                    Some(line) => self.report(&line).await?,
                    None => return Ok(End::Lost),
                },
                Event::Order(Some(Work::Ask(request))) => {
                    let mut line = serde_json::to_string(&request)?;
                    line.push('\n');
                    link.write.write_all(line.as_bytes()).await?;
                }
                Event::Order(order) => {
                    drop(link);
                    self.idle_order(order).await;
                    return Ok(End::Lost);
                }
                Event::Look if self.watch.is_watched() => watched = Instant::now(),
                Event::Look if watched.elapsed() > GRACE => return Ok(End::Unwatched),
                Event::Look => {}
            }
        }
    }

    async fn open(&self) -> Result<Link, WatchError> {
        let learner = self.watch.learner();
        let state = self
            .watch
            .progress()
            .exercise(learner.clone(), self.exercise.id.clone())
            .await?;
        let passed = state
            .items
            .into_iter()
            .filter_map(|(item, known)| known.passed.then_some(item));
        let line = OpeningLine {
            open: "watch",
            opening: Opening {
                exercise: self.exercise.clone(),
                vars: crate::course::exercise::variables(&self.exercise, learner.as_str()),
                passed: passed.collect(),
                answers: state.answers,
            },
        };
        let mut line = serde_json::to_string(&line)?;
        line.push('\n');
        let stream = UnixStream::connect(self.pool.socket(&self.id)).await?;
        let (read, mut write) = stream.into_split();
        write.write_all(line.as_bytes()).await?;
        Ok(Link {
            lines: BufReader::new(read).lines(),
            write,
        })
    }

    async fn report(&self, line: &str) -> Result<(), WatchError> {
        let report: Report = match serde_json::from_str(line) {
            Ok(report) => report,
            Err(error) => {
                tracing::warn!(machine = %self.id, %error, line, "the watcher said something odd");
                return Ok(());
            }
        };
        let learner = self.watch.learner().clone();
        let exercise = self.exercise.id.clone();
        let progress = self.watch.progress();
        match &report {
            Report::Check {
                check: item,
                verdict,
                ..
            }
            | Report::Question {
                question: item,
                verdict,
            } => {
                let known = Known {
                    passed: *verdict == Verdict::Pass,
                    report: line.to_owned(),
                };
                // Our own failure takes nothing away from what was reached.
                if !matches!(verdict, Verdict::Undetermined { .. }) {
                    progress
                        .report(learner, exercise, item.clone(), known)
                        .await?;
                }
            }
            Report::Round { solved: true, .. } => {
                progress.solved(learner.clone(), exercise).await?;
                self.solve_whole(learner).await?;
            }
            Report::Round { .. } | Report::Ports { .. } => {}
        }
        self.watch.tell(News::Report(report));
        Ok(())
    }

    /// An exercise on two machines is solved once both parts are.
    async fn solve_whole(&self, learner: LearnerId) -> Result<(), WatchError> {
        if self.exercise.host().is_none() {
            return Ok(());
        }
        let whole = self.exercise.whole_id().to_owned();
        let progress = self.watch.progress();
        for part in self.exercise.part_ids() {
            let state = progress.exercise(learner.clone(), part).await?;
            if !state.solved {
                return Ok(());
            }
        }
        Ok(progress.solved(learner, whole).await?)
    }

    /// An order that needs no connection.
    async fn idle_order(&self, order: Option<Work>) {
        if let Some(Work::Pause { done, resume }) = order {
            let _ = done.send(());
            // An error is the sender's end: the pause is over.
            let _ = resume.await;
        }
    }
}
