//! A directory that a test owns and that goes away with it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A fresh directory on a real disk, removed with its content when dropped.
///
/// Below `/var/tmp`, not `/tmp`: an overlay's upper layer cannot live on every tmpfs.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes the directory; `name` appears in its path, for who looks at what a killed test left.
    pub fn create(name: &str) -> io::Result<Self> {
        let base =
            std::env::var_os("QUAI_TEST_DIR").map_or_else(|| "/var/tmp".into(), PathBuf::from);
        // Two suites, each in a pid namespace of its own, have the same number.
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = base.join(format!("quai-test-{name}-{}-{number}", process::id()));
            match fs::create_dir(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made.map(|()| Self { path }),
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path inside it; nothing is created.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("cannot remove {}: {error}", self.path.display());
        }
    }
}
