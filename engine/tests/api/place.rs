//! A temporary folder with a catalogue of one image, and an engine in it.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use clap::Parser;
use engine::daemon::{Config, EngineArgs};

use crate::client::Client;

/// Where Debian puts the static busybox.
const BUSYBOX: [&str; 2] = ["/bin/busybox", "/usr/bin/busybox"];

/// Why these tests cannot run here, if they cannot.
pub(crate) fn missing() -> Option<String> {
    if kernel::process::effective_uid() != 0 {
        return Some("they need root".into());
    }
    if !BUSYBOX.iter().any(|path| Path::new(path).exists()) {
        return Some("busybox is not installed (package busybox-static)".into());
    }
    None
}

/// The folder; removed at the end.
pub(crate) struct Place {
    dir: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        // An overlay cannot have its upper directory on another overlay; /var/tmp is a plain disk most often.
        let dir = PathBuf::from(format!("/var/tmp/quai-api-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let place = Self { dir };
        place.make_catalogue();
        place
    }

    fn make_catalogue(&self) {
        let busybox = BUSYBOX
            .iter()
            .find(|path| Path::new(path).exists())
            .unwrap();
        let rootfs = self.dir.join("rootfs.tar");
        let mut archive = tar::Builder::new(std::fs::File::create(&rootfs).unwrap());
        archive
            .append_path_with_name(busybox, "bin/busybox")
            .unwrap();
        for name in ["sh", "cat", "echo", "sleep", "true", "ls", "touch"] {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            archive
                .append_link(&mut header, format!("bin/{name}"), "busybox")
                .unwrap();
        }
        archive.into_inner().unwrap();
        let changes = [r#"CMD ["sh"]"#.to_owned(), "ENV PATH=/bin".to_owned()];
        engine::image::catalogue::add(&self.dir.join("catalogue"), "busybox", &rootfs, &changes)
            .unwrap();
    }

    /// Starts an engine on a thread of its own; it goes with this process.
    pub(crate) fn start_engine(&self) -> Client {
        let path = |name: &str| self.dir.join(name).display().to_string();
        std::fs::write(path("daemon.json"), "{}").unwrap();
        let socket = self.dir.join("engine.sock");
        let args = EngineArgs::parse_from([
            "engine".to_owned(),
            format!("--config-file={}", path("daemon.json")),
            format!("--data-root={}", path("data")),
            format!("--exec-root={}", path("exec")),
            format!("--catalogue={}", path("catalogue")),
            format!("--host=unix://{}", socket.display()),
        ]);
        let config = Config::resolve(args).unwrap();
        let (ready, wait) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let served = runtime.block_on(engine::api::run(config, |_| ready.send(()).unwrap()));
            panic!("the engine has ended: {served:?}");
        });
        wait.recv_timeout(Duration::from_secs(10))
            .expect("the engine is ready within ten seconds");
        Client::new(socket)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
