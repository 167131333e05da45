//! SIGHUP reads `daemon.json` again; the end of the engine, and of its containers where that is wanted.

use std::ops::Deref;
use std::sync::{Arc, RwLock};

use super::container::Container;
use super::{Config, Daemon, DaemonError};

/// The configuration as it is now.
///
/// Whoever reads it keeps a plain reference: a configuration lives as long as the process. Reloads are rare, and a
/// configuration is small.
#[derive(Debug)]
pub(crate) struct Live(RwLock<&'static Config>);

impl Live {
    pub(crate) fn new(config: Config) -> Self {
        Self(RwLock::new(Box::leak(Box::new(config))))
    }

    fn replace(&self, config: Config) {
        *self.0.write().expect("no panic while holding it") = Box::leak(Box::new(config));
    }
}

impl Deref for Live {
    type Target = Config;

    fn deref(&self) -> &Config {
        *self.0.read().expect("no panic while holding it")
    }
}

impl Daemon {
    /// Reads the configuration file again and takes what can change while the engine runs.
    pub(crate) fn reload(&self) {
        let wanted = match Config::resolve(self.config.args.clone()) {
            Ok(wanted) => wanted,
            Err(error) => {
                tracing::error!("the configuration stays as it was: {error}");
                return;
            }
        };
        let mut config = Config::clone(&self.config);
        config.labels = wanted.labels;
        config.registry_mirrors = wanted.registry_mirrors;
        config.insecure_registries = wanted.insecure_registries;
        config.life.live_restore = wanted.life.live_restore;
        config.life.shutdown_timeout = wanted.life.shutdown_timeout;
        if config.log_level != wanted.log_level {
            config.log_level = wanted.log_level;
            if let Some(set) = config.on_log_level {
                set(&config.log_level);
            }
        }
        let attributes = [
            ("debug", (config.log_level == "debug").to_string()),
            ("labels", format!("{:?}", config.labels)),
            ("live-restore", config.life.live_restore.to_string()),
            (
                "insecure-registries",
                format!("{:?}", config.insecure_registries),
            ),
            ("name", hostname()),
            ("registry-mirrors", format!("{:?}", config.registry_mirrors)),
        ];
        self.config.replace(config);
        let attributes = attributes.map(|(name, value)| (name.to_owned(), value));
        self.events
            .emit("daemon", "reload", &self.id, attributes.into());
        tracing::info!("the configuration was reloaded");
    }

    /// The engine ends. Without live restore its containers end before, and start again with it as their policies say.
    pub(crate) async fn end_with_containers(self: &Arc<Self>) {
        let life = &self.config.life;
        if life.live_restore {
            return;
        }
        let all = async {
            let containers = self.all_containers();
            let running = containers
                .into_iter()
                .filter(|container| container.lock().record.state.process().is_some());
            let stops = running.map(|container| self.end_with_engine(container));
            futures_util::future::join_all(stops).await
        };
        let ended = match life.shutdown_timeout {
            Some(limit) => tokio::time::timeout(limit, all).await.is_ok(),
            None => {
                all.await;
                true
            }
        };
        if !ended {
            tracing::warn!("not all containers have ended in time: they go on");
        }
    }

    async fn end_with_engine(self: &Arc<Self>, container: Arc<Container>) {
        let _turn = container.turn.lock().await;
        let by_hand = container.lock().record.stopped_by_hand;
        if let Err(error) = self.stop_in_turn(&container, None, None).await {
            tracing::warn!("cannot stop {}: {error}", container.id);
        }
        // Nobody stopped it by hand, so `unless-stopped` starts it again.
        container.lock().record.stopped_by_hand = by_hand;
        if let Err(error) = self.save(&container) {
            tracing::warn!("{error}");
        }
    }

    /// The text that Prometheus scrapes.
    pub async fn metrics(self: &Arc<Self>) -> Result<String, DaemonError> {
        self.block(|daemon| Ok(daemon.scrape())).await
    }
}

fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}
