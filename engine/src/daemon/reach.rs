//! The way to registries: from the network that containers use.
//!
//! On a host that is the engine's own. In a learner's machine the engine's network is empty: its thread enters the
//! machine's for the time of the transfer, and everything asynchronous of it runs there.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use kernel::fs::Access;
use kernel::namespace::{Namespaces, setns};

use crate::registry::Settings;
use crate::stage::Stage;

use super::{Daemon, DaemonError};

impl Daemon {
    /// Runs work that speaks to registries.
    pub(super) async fn reach<T, F, W>(self: &Arc<Self>, work: W) -> Result<T, DaemonError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, DaemonError>> + Send,
        W: FnOnce(Arc<Self>, Settings) -> F + Send + 'static,
    {
        let settings = self.registries.clone();
        if self.stage == Stage::Host {
            return work(Arc::clone(self), settings).await;
        }
        let (daemon, path) = (Arc::clone(self), self.stage.namespace_path("net"));
        let (give, take) = tokio::sync::oneshot::channel();
        let thread = std::thread::Builder::new().name("registry".into());
        thread
            .spawn(move || {
                let result = enter(&path).and_then(|runtime| {
                    let result = runtime.block_on(work(daemon, settings));
                    // A layer whose transfer was broken off may still be clearing up.
                    runtime.shutdown_background();
                    result
                });
                // Nobody waits for it any more.
                let _ = give.send(result);
            })
            .map_err(DaemonError::io("start a thread"))?;
        take.await
            .map_err(|_| DaemonError::Panic("the thread that speaks to registries ended".into()))?
    }
}

/// Enters a network namespace with this thread, and prepares a runtime in it.
fn enter(path: &Path) -> Result<tokio::runtime::Runtime, DaemonError> {
    let namespace = kernel::fs::open(path, Access::Read)?;
    setns(std::os::fd::AsFd::as_fd(&namespace), Namespaces::NETWORK)?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(DaemonError::io("start a runtime"))
}
