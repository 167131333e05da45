//! The graph of stages: each begins when those it needs are done, as many at a time as there are cores.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};

use crate::dockerfile::Dockerfile;
use crate::oci::Digest;
use crate::store::{Batch, Held, StepRecord, Store};

use super::plan::{Outside, global_arguments};
use super::state::State;
use super::variables::Arguments;
use super::{BuildError, BuildHost, Context, ImportedCache, Plan, Platform, Report};

/// Whether steps that were built before are built again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CachePolicy {
    /// They are not.
    #[default]
    Use,
    /// They are (`--no-cache`).
    Ignore,
    /// They are, unless an image or cache of `--cache-from` has them: so the classic builder understands that option.
    Sources,
}

/// Another place that `COPY --from=name` and `FROM name` may mean (`--build-context`).
#[derive(Debug)]
pub enum NamedContext {
    /// An image.
    Image(String),
    /// Files that the client sent.
    Files(Context),
}

/// Everything about one build.
#[derive(Debug)]
pub struct Request {
    /// The Dockerfile.
    pub dockerfile: Dockerfile,
    /// The context.
    pub context: Context,
    /// Other contexts by name.
    pub contexts: BTreeMap<String, NamedContext>,
    /// `--target`.
    pub target: Option<String>,
    /// `--build-arg`; one without value is taken from the Dockerfile.
    pub build_args: BTreeMap<String, Option<String>>,
    /// `--label`.
    pub labels: BTreeMap<String, String>,
    /// `--platform`.
    pub platform: Option<Platform>,
    /// `--no-cache`.
    pub cache: CachePolicy,
    /// `--cache-from`: images whose steps count as built.
    pub cache_from: Vec<String>,
    /// Steps that were built elsewhere (`--cache-from` of another builder's export).
    pub imported: Vec<ImportedCache>,
    /// `--secret`, by id.
    pub secrets: BTreeMap<String, Vec<u8>>,
    /// `SOURCE_DATE_EPOCH`.
    pub epoch: Option<i64>,
    /// An empty folder that goes with the build, on the store's file system.
    pub scratch: PathBuf,
    /// An empty folder in memory, for secrets.
    pub private: PathBuf,
    /// Where `RUN --mount=type=cache` keeps its directories.
    pub caches: PathBuf,
}

/// The image that came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// Digest of its configuration.
    pub id: Digest,
    /// Digest of its manifest.
    pub manifest: Digest,
}

/// How a build ended, and what it left in the store either way.
#[derive(Debug)]
pub struct Outcome {
    /// The image.
    pub result: Result<Built, BuildError>,
    /// Images that nothing was built on: the ends of stages, and of the step before a failure.
    pub heads: Vec<Built>,
    /// Steps that were built.
    pub steps: Vec<StepRecord>,
    /// Keys of all steps, built or found.
    pub keys: Vec<Digest>,
}

/// One build that runs.
pub(super) struct Build<'a> {
    pub(super) store: &'a Store,
    pub(super) batch: Batch<'a>,
    pub(super) request: &'a Request,
    pub(super) host: &'a dyn BuildHost,
    pub(super) report: &'a dyn Report,
    pub(super) global: Arguments,
    pub(super) plan: Plan,
    pub(super) platform: Platform,
    pub(super) created: String,
    /// Steps of this build.
    pub(super) steps: Mutex<Vec<StepRecord>>,
    /// Keys of all steps so far, built or found.
    pub(super) keys: Mutex<Vec<Digest>>,
    /// What was imported and has no name yet.
    pub(super) held: Mutex<Vec<Held>>,
    /// `SOURCE_DATE_EPOCH`, here or as a build argument.
    pub(super) epoch: Option<i64>,
    stages: Mutex<BTreeMap<usize, Progress>>,
    moved: Condvar,
    heads: Mutex<Vec<Built>>,
}

#[derive(Clone)]
enum Progress {
    Running,
    Done(Arc<State>),
    /// What went wrong is told once, by who was first.
    Failed,
}

/// Builds. Blocking; what was built is in the store when it returns, durable, whether the last step failed or not.
pub fn build(
    store: &Store,
    request: &Request,
    host: &dyn BuildHost,
    report: &dyn Report,
) -> Outcome {
    let build = match Build::new(store, request, host, report) {
        Ok(build) => build,
        Err(error) => {
            return Outcome {
                result: Err(error),
                heads: Vec::new(),
                steps: Vec::new(),
                keys: Vec::new(),
            };
        }
    };
    let mut result = build.run();
    let steps = std::mem::take(&mut *build.steps.lock().expect("no panic while holding it"));
    let kept = build
        .batch
        .commit()
        .and_then(|()| store.steps().add(&steps));
    if let Err(error) = kept {
        result = result.and(Err(error.into()));
    }
    let heads = std::mem::take(&mut *build.heads.lock().expect("no panic while holding it"));
    Outcome {
        result,
        heads,
        steps,
        keys: std::mem::take(&mut *build.keys.lock().expect("no panic while holding it")),
    }
}

impl<'a> Build<'a> {
    fn new(
        store: &'a Store,
        request: &'a Request,
        host: &'a dyn BuildHost,
        report: &'a dyn Report,
    ) -> Result<Self, BuildError> {
        let outside = Outside {
            target: request
                .target
                .as_deref()
                .filter(|target| !target.is_empty()),
            build_args: &request.build_args,
            labels: !request.labels.is_empty(),
        };
        let platform = request.platform.clone().unwrap_or_else(Platform::own);
        let global = global_arguments(&request.dockerfile, &outside, &platform)?;
        let plan = Plan::of(&request.dockerfile, &outside, &global)?;
        let argument = request
            .build_args
            .get("SOURCE_DATE_EPOCH")
            .cloned()
            .flatten();
        let epoch = request
            .epoch
            .or_else(|| argument.and_then(|text| text.parse().ok()));
        let created = epoch.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
        Ok(Self {
            store,
            batch: Batch::new(store),
            request,
            host,
            report,
            global,
            plan,
            platform,
            created: created.unwrap_or_else(jiff::Timestamp::now).to_string(),
            steps: Mutex::default(),
            keys: Mutex::default(),
            held: Mutex::default(),
            epoch,
            stages: Mutex::default(),
            moved: Condvar::new(),
            heads: Mutex::default(),
        })
    }

    fn run(&self) -> Result<Built, BuildError> {
        for index in 0..self.request.dockerfile.stages.len() {
            if !self.plan.stages.iter().any(|stage| stage.index == index) {
                self.report.skipped(index);
            }
        }
        let target = self
            .plan
            .stages
            .last()
            .expect("a plan has its target")
            .index;
        let workers = std::thread::available_parallelism()
            .map_or(2, usize::from)
            .min(self.plan.stages.len());
        let error = Mutex::new(None);
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    while let Some(index) = self.next_ready() {
                        if let Err(failure) = self.make(index) {
                            error
                                .lock()
                                .expect("no panic while holding it")
                                .get_or_insert(failure);
                        }
                    }
                });
            }
        });
        if let Some(error) = error.into_inner().expect("no panic while holding it") {
            return Err(error);
        }
        let state = self.stage(target)?;
        match (&state.image, &state.manifest) {
            (Some(id), Some(manifest)) => Ok(Built {
                id: id.clone(),
                manifest: manifest.clone(),
            }),
            _ => Err(BuildError::Nothing),
        }
    }

    /// Waits for a stage whose needs are done, and takes it; `None` when there will be none.
    fn next_ready(&self) -> Option<usize> {
        let mut stages = self.stages.lock().expect("no panic while holding it");
        loop {
            if stages
                .values()
                .any(|progress| matches!(progress, Progress::Failed))
                || self.host.cancelled()
            {
                return None;
            }
            let left: Vec<_> = self
                .plan
                .stages
                .iter()
                .filter(|stage| !stages.contains_key(&stage.index))
                .collect();
            if left.is_empty() {
                return None;
            }
            let done = |need: &usize| matches!(stages.get(need), Some(Progress::Done(_)));
            if let Some(stage) = left.iter().find(|stage| stage.needs.iter().all(done)) {
                // Marked here, so that nobody else takes it.
                stages.insert(stage.index, Progress::Running);
                return Some(stage.index);
            }
            stages = self.moved.wait(stages).expect("no panic while holding it");
        }
    }

    /// The result of a stage: made by whoever asks first.
    pub(super) fn stage(&self, index: usize) -> Result<Arc<State>, BuildError> {
        let mut stages = self.stages.lock().expect("no panic while holding it");
        loop {
            match stages.get(&index).cloned() {
                Some(Progress::Done(state)) => return Ok(state),
                Some(Progress::Failed) => return Err(BuildError::Cancelled),
                Some(Progress::Running) => {
                    stages = self.moved.wait(stages).expect("no panic while holding it");
                }
                None => break,
            }
        }
        stages.insert(index, Progress::Running);
        drop(stages);
        self.make(index)
    }

    /// Makes a stage that is marked as running, by this thread.
    fn make(&self, index: usize) -> Result<Arc<State>, BuildError> {
        let mut state = State::default();
        let result = self.run_stage(index, &mut state);
        if state.is_new
            && let (Some(id), Some(manifest)) = (&state.image, &state.manifest)
        {
            let head = Built {
                id: id.clone(),
                manifest: manifest.clone(),
            };
            self.heads
                .lock()
                .expect("no panic while holding it")
                .push(head);
        }
        let state = Arc::new(state);
        let progress = if result.is_ok() {
            Progress::Done(Arc::clone(&state))
        } else {
            Progress::Failed
        };
        self.stages
            .lock()
            .expect("no panic while holding it")
            .insert(index, progress);
        self.moved.notify_all();
        if result.is_ok() {
            self.report.done(index);
        }
        result.map(|()| state)
    }
}
