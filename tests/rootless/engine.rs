//! The user's engine and client.

use std::fs::{self, File};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::host::{Host, SUBORDINATE, USER};
use crate::wait_until;

/// What the image can do.
const APPLETS: &[&str] = &[
    "sh", "cat", "chown", "echo", "hostname", "id", "ip", "kill", "ls", "mkdir", "mount", "nc",
    "printf", "ps", "sleep", "stat", "test", "timeout", "touch", "true", "wget",
];

/// An engine that runs as the user.
pub(crate) struct Rootless {
    pub(crate) host: Host,
    quai: PathBuf,
    process: Option<Child>,
}

impl Rootless {
    /// Starts it as the user would, and gives it the image `box`.
    pub(crate) fn start(host: Host) -> Self {
        // Not below a directory that only root may enter.
        let quai = host.scratch.join("quai");
        tests::executable::copy_to(&quai).unwrap();
        let mut engine = Self {
            host,
            quai,
            process: None,
        };
        engine.start_again();
        engine.import();
        engine
    }

    /// Starts it on the same data.
    pub(crate) fn start_again(&mut self) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.host.scratch.join("engine.log"))
            .unwrap();
        let process = self
            .host
            .as_user(&self.quai)
            .arg("engine")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.process = Some(process);
        let socket = self.host.runtime("docker.sock");
        wait_until(&format!("the engine answers\n{}", self.log()), || {
            self.is_ended() || UnixStream::connect(&socket).is_ok()
        });
        assert!(!self.is_ended(), "{}", self.log());
    }

    /// Tries to start a second engine of this user, which must refuse, and gives its words.
    pub(crate) fn refused(&self, words: &[&str]) -> String {
        let output = self
            .host
            .as_user(&self.quai)
            .arg("engine")
            .args(words)
            .output()
            .unwrap();
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    fn is_ended(&mut self) -> bool {
        let process = self.process.as_mut().expect("it was started");
        process.try_wait().unwrap().is_some()
    }

    /// Kills it as a crash would.
    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().expect("it was started");
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn end(&mut self) {
        let mut process = self.process.take().expect("it was started");
        let pid = i32::try_from(process.id()).unwrap();
        kernel::process::kill(pid, kernel::process::Signal::TERM).unwrap();
        let status = process.wait().unwrap();
        assert!(status.success(), "{status}: {}", self.log());
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        let read = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
        read(self.host.scratch.join("engine.log")) + &read(self.host.runtime("quai/rootless/log"))
    }

    /// A client of the user's: the real one where it is installed, else our own.
    pub(crate) fn docker(&self, words: &[&str]) -> Command {
        let real = ["/usr/local/bin/docker", "/usr/bin/docker"].map(Path::new);
        // Whatever hangs is told by its command, not by the end of the whole suite.
        let mut command = self.host.as_user("timeout".as_ref());
        command.arg("100");
        match real.iter().find(|path| path.exists()) {
            Some(real) => command.arg(real),
            None => command.arg(&self.quai).arg("docker"),
        };
        let socket = self.host.runtime("docker.sock");
        command
            .env("DOCKER_HOST", format!("unix://{}", socket.display()))
            .env("DOCKER_BUILDKIT", "0")
            .args(words)
            .stdin(Stdio::null());
        command
    }

    /// Runs a command of the client, which must succeed; gives its output.
    #[track_caller]
    pub(crate) fn ok(&self, words: &[&str]) -> String {
        let output = self.docker(words).output().unwrap();
        assert!(
            output.status.success(),
            "docker {}: {}{}",
            words.join(" "),
            String::from_utf8_lossy(&output.stderr),
            self.log()
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Runs a command of the client, which must fail; gives what it said.
    #[track_caller]
    pub(crate) fn fails(&self, words: &[&str]) -> String {
        let Output { status, stderr, .. } = self.docker(words).output().unwrap();
        assert!(!status.success(), "docker {} succeeded", words.join(" "));
        String::from_utf8_lossy(&stderr).trim().to_owned()
    }

    /// The live processes of the user, by name.
    pub(crate) fn processes(&self) -> Vec<String> {
        let all = processes(|uid| uid == USER);
        all.into_iter().map(|(_, name)| name).collect()
    }

    fn import(&self) {
        let root = self.host.scratch.join("rootfs");
        for dir in ["bin", "dev", "etc", "proc", "sys", "tmp"] {
            fs::create_dir_all(root.join(dir)).unwrap();
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let busybox = std::env::split_paths(&path)
            .map(|dir| dir.join("busybox"))
            .find(|file| file.is_file())
            .expect("the host was looked at");
        fs::copy(busybox, root.join("bin/busybox")).unwrap();
        for applet in APPLETS {
            std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).unwrap();
        }
        fs::write(root.join("etc/passwd"), "root:x:0:0::/:/bin/sh\n").unwrap();
        let tar = self.host.scratch.join("box.tar");
        let made = Command::new("tar")
            .arg("-cf")
            .arg(&tar)
            .arg("-C")
            .arg(&root)
            .arg(".")
            .status();
        assert!(made.unwrap().success());
        self.ok(&["import", &tar.display().to_string(), "box"]);
    }
}

impl Drop for Rootless {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
        // Containers, parent and helper are the user's or have ids that only this user gives away.
        let ours = |uid: u32| uid == USER || (SUBORDINATE..SUBORDINATE + 65_536).contains(&uid);
        for (pid, _) in processes(ours) {
            let _ = kernel::process::kill(pid, kernel::process::Signal::KILL);
        }
    }
}

/// The live processes whose user this is, with their names.
fn processes(wanted: impl Fn(u32) -> bool) -> Vec<(i32, String)> {
    let all = kernel::procfs::process::pids().unwrap_or_default();
    all.into_iter()
        .filter_map(|pid| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let line = |key: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(key));
                line.unwrap_or_default().trim().to_owned()
            };
            let uid: u32 = line("Uid:").split_whitespace().next()?.parse().ok()?;
            (wanted(uid) && !line("State:").starts_with('Z')).then(|| (pid, line("Name:")))
        })
        .collect()
}
