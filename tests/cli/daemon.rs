//! The two daemons: our engine and a real one, each in a network namespace of its own, and the
//! image that both are given.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tests::executable;
use tests::scratch::Scratch;

/// How long a daemon may take to listen.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where Debian puts the static busybox.
const BUSYBOX: [&str; 2] = ["/bin/busybox", "/usr/bin/busybox"];

/// The programs of the image.
const APPLETS: [&str; 19] = [
    "sh", "cat", "echo", "sleep", "true", "ls", "touch", "rm", "id", "pwd", "hostname", "df",
    "tail", "tr", "cut", "wc", "grep", "env", "stty",
];

/// Why there can be no image, if there can be none.
pub(crate) fn missing_image() -> Option<String> {
    let there = BUSYBOX.iter().any(|path| Path::new(path).exists());
    (!there).then(|| "busybox is not installed (package busybox-static)".to_owned())
}

/// A daemon that listens.
pub(crate) struct Daemon {
    /// What ends with the test; a daemon that was there before stays.
    process: Option<Child>,
    scratch: Scratch,
    socket: PathBuf,
    /// Whether it is Quai's.
    pub(crate) is_ours: bool,
}

impl Daemon {
    /// Starts our engine.
    pub(crate) fn ours() -> Result<Self> {
        let scratch = Scratch::create("cli")?;
        let socket = scratch.join("docker.sock");
        fs::write(scratch.join("daemon.json"), "{}")?;
        let mut command = Command::new("unshare");
        command.args(["--net", "--mount", "--", "sh", "-c"]);
        command.arg("ip link set lo up; exec \"$@\"").arg("sh");
        command.arg(executable::path()?).arg("engine");
        command
            .arg("--config-file")
            .arg(scratch.join("daemon.json"));
        Self::start(command, scratch, socket, true)
    }

    /// Starts a real daemon, or takes the one that the caller has for tests.
    pub(crate) fn real() -> std::result::Result<Self, String> {
        let scratch = Scratch::create("cli-peer").map_err(|error| error.to_string())?;
        if let Some(host) = std::env::var_os("PEER_DOCKER_HOST") {
            let host = host.to_string_lossy().into_owned();
            let path = host
                .strip_prefix("unix://")
                .ok_or("PEER_DOCKER_HOST is unix://PATH")?;
            let socket = PathBuf::from(path);
            UnixStream::connect(&socket).map_err(|error| format!("{host}: {error}"))?;
            return Ok(Self {
                process: None,
                scratch,
                socket,
                is_ours: false,
            });
        }
        let said = Command::new("dockerd").arg("--version").output();
        let said = said.map_err(|_| "no dockerd is installed, and PEER_DOCKER_HOST names none")?;
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        if !said.starts_with("Docker version 26.") {
            return Err(format!("it needs dockerd 26, not {:?}", said.trim()));
        }
        let socket = scratch.join("docker.sock");
        let mut command = Command::new("unshare");
        command.args([
            "--net",
            "--mount",
            "--propagation",
            "private",
            "--",
            "sh",
            "-c",
        ]);
        command.arg("ip link set lo up; echo 1 >/proc/sys/net/ipv4/ip_forward; exec \"$@\"");
        command.args([
            "sh",
            "dockerd",
            "--experimental",
            "--storage-driver",
            "overlay2",
        ]);
        command.arg("--pidfile").arg(scratch.join("pid"));
        Self::start(command, scratch, socket, false).map_err(|error| format!("{error:#}"))
    }

    fn start(
        mut command: Command,
        scratch: Scratch,
        socket: PathBuf,
        is_ours: bool,
    ) -> Result<Self> {
        let log = File::create(scratch.join("log"))?;
        command.arg("--data-root").arg(scratch.join("data"));
        command.arg("--exec-root").arg(scratch.join("exec"));
        command
            .arg("-H")
            .arg(format!("unix://{}", socket.display()));
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let process = command.spawn().context("cannot start the daemon")?;
        let mut daemon = Self {
            process: Some(process),
            scratch,
            socket,
            is_ours,
        };
        let deadline = Instant::now() + PATIENCE * tests::host::slowness();
        while UnixStream::connect(&daemon.socket).is_err() {
            let ended = daemon.process.as_mut().map(Child::try_wait).transpose()?;
            if ended.flatten().is_some() || Instant::now() > deadline {
                bail!("the daemon does not listen:\n{}", daemon.log());
            }
            sleep(Duration::from_millis(50));
        }
        Ok(daemon)
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Where it keeps its data.
    pub(crate) fn data(&self) -> PathBuf {
        match &self.process {
            Some(_) => self.scratch.join("data"),
            // One that was there before says it itself.
            None => self.told_data().unwrap_or_else(|| "/nonexistent".into()),
        }
    }

    fn told_data(&self) -> Option<PathBuf> {
        let mut stream = UnixStream::connect(&self.socket).ok()?;
        stream.write_all(b"GET /info HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (_, rest) = answer.split_once("\"DockerRootDir\":\"")?;
        rest.split_once('"').map(|(path, _)| path.into())
    }

    /// What it has logged, for who looks at a failure.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.scratch.join("log")).unwrap_or_default()
    }

    /// The archive of the image, made once.
    pub(crate) fn image(&self) -> Result<PathBuf> {
        let archive = self.scratch.join("rootfs.tar");
        if archive.exists() {
            return Ok(archive);
        }
        let root = self.scratch.join("rootfs");
        for folder in ["bin", "etc", "tmp", "dev", "proc", "sys"] {
            fs::create_dir_all(root.join(folder))?;
        }
        let busybox = BUSYBOX.iter().find(|path| Path::new(path).exists());
        fs::copy(
            busybox.context("busybox was there")?,
            root.join("bin/busybox"),
        )?;
        for applet in APPLETS {
            symlink("busybox", root.join("bin").join(applet))?;
        }
        fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n")?;
        fs::write(root.join("etc/group"), "root:x:0:\n")?;
        let status = Command::new("tar")
            .arg("-C")
            .arg(&root)
            .arg("-cf")
            .arg(&archive)
            .arg(".")
            .status()?;
        anyhow::ensure!(status.success(), "tar ended with {status}");
        Ok(archive)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let Some(process) = &mut self.process else {
            return;
        };
        // SIGTERM: a daemon that is asked to end takes its mounts along.
        let _ = Command::new("kill").arg(process.id().to_string()).status();
        let deadline = Instant::now() + Duration::from_secs(15);
        while Instant::now() < deadline {
            if let Ok(Some(_)) = process.try_wait() {
                return;
            }
            sleep(Duration::from_millis(50));
        }
        let _ = process.kill();
        let _ = process.wait();
    }
}
