use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// A launcher whose machines are listening sockets.
struct Sockets {
    folder: PathBuf,
    live: Arc<Mutex<HashMap<MachineId, UnixListener>>>,
    starts: Arc<AtomicUsize>,
}

impl Launcher for Sockets {
    fn start(&self, id: MachineId, _: &Exercise) -> Answer<()> {
        self.starts.fetch_add(1, Ordering::SeqCst);
        let path = self.folder.join(format!("{id}.sock"));
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(path).unwrap();
        self.live.lock().unwrap().insert(id, listener);
        Box::pin(async { Ok(()) })
    }

    fn stop(&self, id: MachineId) -> Answer<()> {
        self.live.lock().unwrap().remove(&id);
        Box::pin(async { Ok(()) })
    }

    fn reset(&self, id: MachineId, exercise: &Exercise) -> Answer<()> {
        drop(self.stop(id.clone()));
        self.start(id, exercise)
    }

    fn list(&self) -> Answer<Vec<MachineId>> {
        let ids = self.live.lock().unwrap().keys().cloned().collect();
        Box::pin(async { Ok(ids) })
    }
}

fn pool(name: &str, capacity: usize) -> (Arc<Pool>, Arc<Sockets>) {
    let folder = crate::test_folder(name);
    let launcher = Arc::new(Sockets {
        folder: folder.clone(),
        live: Arc::default(),
        starts: Arc::default(),
    });
    let pool = Pool::new(launcher.clone(), folder, Capacity(capacity));
    (Arc::new(pool), launcher)
}

fn exercise(id: &str) -> Exercise {
    let json = serde_json::json!({
        "schema": 1, "id": id, "title": "T", "duration": "5m",
        "checks": [], "solve": "s.sh", "counterexamples": []
    });
    serde_json::from_value(json).unwrap()
}

#[tokio::test]
async fn two_tabs_share_one_machine() {
    let (pool, launcher) = pool("pool-share", 4);
    let me = LearnerId::local();
    let tp = exercise("a/b");
    let (one, two) = tokio::join!(pool.lease(&me, &tp), pool.lease(&me, &tp));
    assert_eq!(one.unwrap().id(), two.unwrap().id());
    assert_eq!(launcher.starts.load(Ordering::SeqCst), 1);
    std::fs::remove_dir_all(&pool.sockets).unwrap();
}

#[tokio::test]
async fn the_oldest_idle_machine_makes_room() {
    let (pool, _launcher) = pool("pool-room", 2);
    let me = LearnerId::local();
    let first = pool.lease(&me, &exercise("a/1")).await.unwrap();
    let second = pool.lease(&me, &exercise("a/2")).await.unwrap();
    // Both in use: nobody is thrown out.
    assert!(pool.lease(&me, &exercise("a/3")).await.is_err());
    let second_id = second.id().clone();
    drop(second);
    pool.lease(&me, &exercise("a/3")).await.unwrap();
    assert_eq!(pool.state(&second_id), MachineState::Stopped);
    assert_eq!(pool.state(first.id()), MachineState::Ready);
    std::fs::remove_dir_all(&pool.sockets).unwrap();
}

#[tokio::test]
async fn a_machine_that_died_is_started_again() {
    let (pool, launcher) = pool("pool-dead", 2);
    let me = LearnerId::local();
    let tp = exercise("a/1");
    let id = pool.lease(&me, &tp).await.unwrap().id().clone();
    launcher.live.lock().unwrap().clear();
    pool.suspect(&id).await;
    assert_eq!(pool.state(&id), MachineState::Stopped);
    pool.lease(&me, &tp).await.unwrap();
    assert_eq!(pool.state(&id), MachineState::Ready);
    std::fs::remove_dir_all(&pool.sockets).unwrap();
}

#[tokio::test]
async fn live_machines_are_adopted() {
    let (pool, launcher) = pool("pool-adopt", 2);
    let tp = exercise("a/1");
    launcher
        .start(MachineId::of(&LearnerId::local(), &tp), &tp)
        .await
        .unwrap();
    assert_eq!(pool.adopt().await.unwrap(), 1);
    pool.lease(&LearnerId::local(), &tp).await.unwrap();
    assert_eq!(launcher.starts.load(Ordering::SeqCst), 1);
    std::fs::remove_dir_all(&pool.sockets).unwrap();
}

#[test]
fn memory_bounds_the_machines() {
    assert_eq!(
        total_memory("MemTotal:        4194304 kB\nMemFree: 1 kB\n"),
        Some(4 << 30)
    );
    assert_eq!(Capacity::of_memory(4 << 30).0, 12);
    assert_eq!(Capacity::of_memory(0).0, 2);
}
