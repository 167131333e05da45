//! After work the engine gives memory back: most of its life it waits.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

/// How long nobody needs to have asked for anything.
const PAUSE: Duration = Duration::from_secs(1);

/// Told when something has been done.
#[derive(Clone, Debug)]
pub(crate) struct Quiet(Arc<Notify>);

impl Quiet {
    /// Begins to wait for the end of work. Nothing wakes up while nothing is done.
    pub(crate) fn begin() -> Self {
        let told = Arc::new(Notify::new());
        let done = Arc::clone(&told);
        tokio::spawn(async move {
            loop {
                done.notified().await;
                while tokio::time::timeout(PAUSE, done.notified()).await.is_ok() {}
                kernel::memory::give_back();
            }
        });
        Self(told)
    }

    /// Something has been done.
    pub(crate) fn done(&self) {
        self.0.notify_one();
    }
}
