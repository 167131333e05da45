//! What a build tells while it runs.

/// An event of one build, in the order in which a reader of the Dockerfile expects them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// `Step 1/3 : FROM busybox`.
    Step {
        /// Which stage, from 0.
        stage: usize,
        /// Its name, if it has one.
        name: Option<String>,
        /// Number of the step, from 1.
        number: usize,
        /// How many steps there are.
        total: usize,
        /// As written.
        text: String,
    },
    /// The step was built before.
    Cached,
    /// A container works on the step.
    Running(String),
    /// Bytes that a command wrote.
    Output {
        /// To standard error.
        is_error: bool,
        /// What.
        bytes: Vec<u8>,
    },
    /// The container is gone.
    Removed(String),
    /// The image after the step; empty for a scratch base.
    Image(String),
    /// Something the reader should know.
    Note(String),
    /// A warning that does not stop the build.
    Warning(String),
    /// Progress of a pull, passed on as it is.
    Pull(serde_json::Value),
}

/// Receives events; may be called from several threads.
pub trait Report: Sync {
    /// Something happened in a stage.
    fn tell(&self, stage: usize, event: Event);
    /// A stage has ended well.
    fn done(&self, stage: usize);
    /// A stage is not needed.
    fn skipped(&self, stage: usize);
}
