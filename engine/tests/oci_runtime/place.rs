//! A place for one test: a bundle with a busybox root, a directory of containers, and a link to
//! this executable under the runtime's name.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Why these tests cannot run here, if they cannot.
pub(crate) fn missing() -> Option<String> {
    if kernel::process::effective_uid() != 0 {
        return Some("they need root".to_owned());
    }
    if !Path::new("/bin/busybox").exists() {
        return Some("they need /bin/busybox (package busybox-static)".to_owned());
    }
    None
}

/// A place that is removed when it is dropped, and its container with it.
pub(crate) struct Place {
    pub(crate) directory: PathBuf,
    pub(crate) id: String,
}

impl Place {
    /// A new place with a small bundle that runs a shell line.
    pub(crate) fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let id = format!("oci-{name}-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(format!("quai-{id}"));
        make_busybox(&directory.join("bundle/rootfs"));
        std::os::unix::fs::symlink(
            std::env::current_exe().unwrap(),
            directory.join("quai-runtime"),
        )
        .unwrap();
        Self { directory, id }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub(crate) fn rootfs(&self, name: &str) -> PathBuf {
        self.directory.join("bundle/rootfs").join(name)
    }

    /// Writes the bundle's document: a shell line, and what `change` makes of the rest.
    pub(crate) fn configure(&self, line: &str, change: impl FnOnce(&mut Value)) {
        let mut config = config(&["sh", "-c", line], &self.id);
        change(&mut config);
        std::fs::write(self.path("bundle/config.json"), config.to_string()).unwrap();
    }

    /// The runtime with its global options.
    pub(crate) fn runtime(&self) -> Command {
        let mut command = Command::new(self.path("quai-runtime"));
        command.arg("--root").arg(self.path("state"));
        command.stdin(Stdio::null());
        command
    }

    /// One call of the runtime; the id goes last.
    pub(crate) fn call(&self, words: &[&str]) -> Output {
        self.runtime().args(words).arg(&self.id).output().unwrap()
    }

    /// One call that must succeed; what it printed.
    #[track_caller]
    pub(crate) fn ok(&self, words: &[&str]) -> String {
        let output = self.call(words);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{words:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs the bundle to its end.
    pub(crate) fn run(&self) -> Done {
        let bundle = self.path("bundle");
        let bundle = bundle.to_str().unwrap();
        Done::from(self.call(&["run", "--bundle", bundle]))
    }

    /// Runs the bundle with a line and a change.
    pub(crate) fn sh(&self, line: &str, change: impl FnOnce(&mut Value)) -> Done {
        self.configure(line, change);
        self.run()
    }

    /// Creates the container of the bundle. Its program inherits our streams: a pipe would stay open.
    #[track_caller]
    pub(crate) fn create(&self, options: &[&str]) {
        let mut command = self.runtime();
        command
            .arg("create")
            .arg("--bundle")
            .arg(self.path("bundle"));
        command.args(options).arg(&self.id);
        let errors = self.path("create.err");
        let file = std::fs::File::create(&errors).unwrap();
        let output = std::fs::File::create(self.path("out")).unwrap();
        let status = command.stdout(output).stderr(file).status().unwrap();
        let text = std::fs::read_to_string(errors).unwrap();
        assert!(status.success(), "{text}");
    }

    /// What a created container has printed.
    pub(crate) fn printed(&self) -> String {
        std::fs::read_to_string(self.path("out")).unwrap()
    }

    /// The word for how the container is doing; empty when there is none.
    pub(crate) fn status(&self) -> String {
        let output = self.call(&["state"]);
        let state: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        state["status"].as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    pub(crate) fn wait_for(&self, status: &str) {
        wait_until(|| self.status() == status, &|| {
            format!("it is {:?} and not {status:?}", self.status())
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.call(&["delete", "--force"]);
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// What a call left.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: i32,
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        Self {
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            code: output.status.code().unwrap_or(-1),
        }
    }
}

#[track_caller]
pub(crate) fn wait_until(mut done: impl FnMut() -> bool, why: &dyn Fn() -> String) {
    let end = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < end, "{}", why());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Removes the groups that tests have in common, if nobody else tests at the same time.
pub(crate) fn forget_groups() {
    let layout = kernel::cgroup::Layout::detect().unwrap();
    for name in ["quai-test", "quai-test-dockerd"] {
        let group = kernel::cgroup::Cgroup::new(&layout, name);
        if group.processes().is_empty() {
            let _ = group.remove();
        }
    }
}

/// A document as callers of an OCI runtime write it.
pub(crate) fn config(argv: &[&str], cgroup: &str) -> Value {
    let namespaces =
        ["pid", "network", "ipc", "uts", "mount", "cgroup"].map(|kind| json!({"type": kind}));
    let capabilities = json!(["CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_SETGID"]);
    let mount = |target: &str, kind: &str, options: &[&str]| json!({"destination": target, "type": kind, "source": kind, "options": options});
    json!({
        "ociVersion": "1.0.2",
        "hostname": "box",
        "root": {"path": "rootfs"},
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": argv,
            "env": ["PATH=/bin"],
            "cwd": "/",
            "capabilities": {
                "bounding": capabilities, "effective": capabilities, "permitted": capabilities,
            },
            "noNewPrivileges": true,
        },
        "mounts": [
            mount("/proc", "proc", &["nosuid", "noexec", "nodev"]),
            mount("/dev", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
            mount("/dev/pts", "devpts", &["nosuid", "noexec", "newinstance", "ptmxmode=0666"]),
            mount("/dev/shm", "tmpfs", &["nosuid", "noexec", "nodev", "mode=1777", "size=1m"]),
            mount("/sys", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
            mount("/sys/fs/cgroup", "cgroup", &["nosuid", "noexec", "nodev", "ro"]),
        ],
        "linux": {
            "cgroupsPath": format!("/quai-test/{cgroup}"),
            "namespaces": namespaces,
            "maskedPaths": ["/proc/kcore", "/proc/timer_list", "/sys/firmware"],
            "readonlyPaths": ["/proc/sys", "/proc/bus"],
        },
    })
}

fn make_busybox(root: &Path) {
    for directory in ["bin", "etc", "root", "tmp", "home", "proc", "dev", "sys"] {
        std::fs::create_dir_all(root.join(directory)).unwrap();
    }
    std::fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
    let list = Command::new("/bin/busybox").arg("--list").output().unwrap();
    for applet in String::from_utf8(list.stdout).unwrap().lines() {
        if applet != "busybox" {
            std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).unwrap();
        }
    }
    std::fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").unwrap();
}
