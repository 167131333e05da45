//! An engine in a process of its own, on a temporary folder with a catalogue of one image.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use clap::Parser;
use engine::daemon::{Config, EngineArgs};
use serde_json::{Value, json};

use crate::client::Client;

/// Where Debian puts the static busybox.
const BUSYBOX: [&str; 2] = ["/bin/busybox", "/usr/bin/busybox"];

/// The programs of the image.
const APPLETS: [&str; 18] = [
    "sh", "cat", "echo", "sleep", "true", "false", "ls", "touch", "test", "rm", "dd", "yes",
    "head", "seq", "kill", "date", "usleep", "printf",
];

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

/// An empty `/run` in this process's own mount namespace: no daemon of the host listens there.
pub(crate) fn own_run() {
    for arguments in [
        vec!["--make-rprivate", "/"],
        vec!["-t", "tmpfs", "tmpfs", "/run"],
    ] {
        let status = Command::new("mount").args(arguments).status().unwrap();
        assert!(status.success());
    }
}

/// The process `engine`: what `quai engine` is, without its log format.
pub(crate) fn serve(words: Vec<String>) -> ExitCode {
    let config = match Config::resolve(EngineArgs::parse_from(words)) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match runtime.block_on(engine::api::run(config, |_| {})) {
        Ok(()) => {
            runtime.shutdown_background();
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The engine and its folder; both go with it.
pub(crate) struct Engine {
    pub(crate) client: Client,
    pub(crate) dir: PathBuf,
    process: Child,
}

impl Engine {
    /// Starts one whose `daemon.json` has this content.
    pub(crate) fn start(config: &str) -> Self {
        // An overlay cannot have its upper directory on another overlay; /var/tmp is a plain disk most often.
        let name = format!(
            "/var/tmp/quai-supervision-{}-{:x}",
            std::process::id(),
            getrandom::u32().unwrap()
        );
        Self::start_in(PathBuf::from(name), config)
    }

    /// Starts one in a folder of the caller's.
    pub(crate) fn start_in(dir: PathBuf, config: &str) -> Self {
        std::fs::create_dir_all(&dir).unwrap();
        make_catalogue(&dir);
        std::fs::write(dir.join("daemon.json"), config).unwrap();
        let engine = Self {
            client: Client::new(dir.join("engine.sock")),
            process: spawn(&dir, "engine.sock"),
            dir,
        };
        engine.wait();
        let pulled = engine
            .client
            .post("/images/create?fromImage=busybox", &Value::Null);
        assert_eq!(pulled.status, 200);
        engine
    }

    /// Kills it as a crash would.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again on the same data.
    pub(crate) fn start_again(&mut self) {
        self.process = spawn(&self.dir, "engine.sock");
        self.wait();
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: kernel::process::Signal) {
        let pid = i32::try_from(self.process.id()).unwrap();
        kernel::process::kill(pid, signal).unwrap();
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn end(&mut self) {
        self.signal(kernel::process::Signal::TERM);
        self.process.wait().unwrap();
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("engine.log")).unwrap_or_default()
    }

    /// The container's state as the API tells it.
    #[track_caller]
    pub(crate) fn state(&self, name: &str) -> Value {
        let answer = self.client.get(&format!("/containers/{name}/json"));
        assert_eq!(answer.status, 200, "{name}: {}", self.log());
        answer.json()["State"].clone()
    }

    /// Creates and starts a container of busybox.
    #[track_caller]
    pub(crate) fn run(&self, name: &str, command: &str, host: Value, more: Value) -> String {
        let mut body = json!({ "Cmd": ["sh", "-c", command], "HostConfig": host });
        if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
            body.extend(more.clone());
        }
        if body["HostConfig"]["NetworkMode"].is_null() {
            body["HostConfig"]["NetworkMode"] = "none".into();
        }
        let id = self.client.create(name, &body);
        let started = self
            .client
            .post(&format!("/containers/{id}/start"), &Value::Null);
        assert_eq!(
            started.status,
            204,
            "{}\n{}",
            String::from_utf8_lossy(&started.body),
            self.log()
        );
        id
    }

    /// The actions told about a container, the oldest first.
    pub(crate) fn actions(&self, name: &str) -> Vec<String> {
        let filters = format!("%7B%22container%22%3A%5B%22{name}%22%5D%7D");
        let path = format!("/events?since=0&until=9999999999&filters={filters}");
        // Events end by themselves only when `until` has passed, so the past is asked for.
        let now = jiff::Timestamp::now().as_second() + 1;
        let path = path.replace("9999999999", &now.to_string());
        let events = self.client.get(&path).lines();
        events
            .iter()
            .map(|event| event["Action"].as_str().unwrap().to_owned())
            .collect()
    }

    fn wait(&self) {
        crate::wait_until("the engine answers", || {
            std::os::unix::net::UnixStream::connect(self.dir.join("engine.sock")).is_ok()
        });
    }
}

impl Drop for Engine {
    /// Containers go too, whatever state the test has left the engine in: it was made to let them live.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        for id in crate::processes::known_ids(self) {
            let path = engine::runtime::cgroups::path(&engine::stage::Stage::Host, "", &id);
            if let Ok(group) = engine::runtime::cgroups::of(&path)
                && group.exists()
            {
                let _ = group.kill();
                group.wait_empty(std::time::Duration::from_secs(10));
                let _ = group.remove();
            }
        }
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Starts the process; its log goes to a file of the folder.
pub(crate) fn spawn(dir: &Path, socket: &str) -> Child {
    let log = File::options()
        .create(true)
        .append(true)
        .open(dir.join("engine.log"))
        .unwrap();
    let path = |name: &str| dir.join(name).display().to_string();
    Command::new(std::env::current_exe().unwrap())
        .arg("engine")
        .arg(format!("--config-file={}", path("daemon.json")))
        .arg(format!("--data-root={}", path("data")))
        .arg(format!("--exec-root={}", path("exec")))
        .arg(format!("--catalogue={}", path("catalogue")))
        .arg(format!("--host=unix://{}", path(socket)))
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

fn make_catalogue(dir: &Path) {
    let busybox = BUSYBOX
        .iter()
        .find(|path| Path::new(path).exists())
        .unwrap();
    let rootfs = dir.join("rootfs.tar");
    let mut archive = tar::Builder::new(File::create(&rootfs).unwrap());
    archive
        .append_path_with_name(busybox, "bin/busybox")
        .unwrap();
    for name in APPLETS {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        archive
            .append_link(&mut header, format!("bin/{name}"), "busybox")
            .unwrap();
    }
    archive.into_inner().unwrap();
    let changes = [r#"CMD ["sh"]"#.to_owned(), "ENV PATH=/bin".to_owned()];
    engine::image::catalogue::add(&dir.join("catalogue"), "busybox", &rootfs, &changes).unwrap();
}
