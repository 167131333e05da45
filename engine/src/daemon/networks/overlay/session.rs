//! The thread that keeps this engine's leases and follows the store.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use kernel::fs::Access;
use kernel::namespace::{Namespaces, setns};
use tokio::time::MissedTickBehavior;

use crate::cluster::{Client, ClusterError};
use crate::stage::Stage;

use super::super::super::{Daemon, DaemonError};
use super::mirror::Mirror;
use super::{Cluster, Leases, Standing};

/// Between two tries to reach the store.
const PAUSE: Duration = Duration::from_secs(1);

/// How much longer addresses outlive an engine than its containers' places do.
const GRACE: u32 = 10;

/// Starts the thread; it lives as long as the engine.
pub(super) fn begin(daemon: &Arc<Daemon>, cluster: &Arc<Cluster>) -> Result<(), DaemonError> {
    let (daemon, cluster) = (Arc::clone(daemon), Arc::clone(cluster));
    let thread = std::thread::Builder::new().name("cluster".into());
    let started = thread.spawn(move || {
        if let Err(error) = run(&daemon, &cluster) {
            tracing::error!("the cluster store is not followed: {error}");
            cluster.stand(Standing::Lost(error.to_string()));
        }
    });
    started.map(drop).map_err(DaemonError::io("start a thread"))
}

fn run(daemon: &Arc<Daemon>, cluster: &Arc<Cluster>) -> Result<(), DaemonError> {
    if cluster.stage != Stage::Host {
        let namespace = kernel::fs::open(&cluster.stage.namespace_path("net"), Access::Read)?;
        setns(namespace.as_fd(), Namespaces::NETWORK)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(DaemonError::io("start a runtime"))?;
    runtime.block_on(async {
        let client = cluster.client()?;
        let (mut leases, mut last) = (None, String::new());
        loop {
            let Err(error) = session(&client, daemon, cluster, &mut leases).await;
            let why = error.to_string();
            cluster.stand(Standing::Lost(why.clone()));
            if why != last {
                tracing::warn!("{why}");
                last = why;
            }
            tokio::time::sleep(PAUSE).await;
        }
    })
}

/// One life with the store, until something fails.
async fn session(
    client: &Client,
    daemon: &Arc<Daemon>,
    cluster: &Arc<Cluster>,
    leases: &mut Option<Leases>,
) -> Result<std::convert::Infallible, DaemonError> {
    let leases = *leases.insert(renew(client, cluster, *leases).await?);
    let snapshot = client.list(cluster.keys.all()).await?;
    *cluster.mirror() = Mirror::of(&cluster.keys, snapshot.keys);
    // Whatever another engine may take for free is told first.
    cluster
        .settle(client, leases, &daemon.shared_records())
        .await?;
    daemon.follow(cluster);
    cluster.stand(Standing::Joined(leases));
    tracing::info!("joined the cluster store {}", cluster.config.store);
    let mut watch = client
        .watch(cluster.keys.all(), snapshot.revision + 1)
        .await?;
    let mut beat = tokio::time::interval(Duration::from_secs(cluster.config.heartbeat.into()));
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            events = watch.next() => {
                cluster.mirror().apply(&cluster.keys, events?);
                daemon.follow(cluster);
                // Somebody may have removed what is ours, and a secret may have to be made.
                cluster.settle(client, leases, &daemon.shared_records()).await?;
            }
            () = cluster.wake.notified() => {
                cluster.settle(client, leases, &daemon.shared_records()).await?;
            }
            _ = beat.tick() => {
                client.keep_alive(leases.presence).await?;
                client.keep_alive(leases.addresses).await?;
            }
        }
    }
}

/// The leases of the session before, if they have not ended meanwhile.
async fn renew(
    client: &Client,
    cluster: &Cluster,
    before: Option<Leases>,
) -> Result<Leases, ClusterError> {
    if let Some(leases) = before {
        let alive = async {
            client.keep_alive(leases.presence).await?;
            client.keep_alive(leases.addresses).await
        };
        match alive.await {
            Ok(()) => return Ok(leases),
            Err(ClusterError::LeaseEnded) => {}
            Err(error) => return Err(error),
        }
    }
    let ttl = cluster.config.ttl;
    Ok(Leases {
        presence: client.grant(ttl).await?,
        addresses: client.grant(ttl.saturating_mul(GRACE)).await?,
    })
}
