//! The client that a Docker user has, pointed at an engine of our own.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tests::engine::Engine;
use tests::scratch::Scratch;

/// Where Debian puts the static busybox.
const BUSYBOX: [&str; 2] = ["/bin/busybox", "/usr/bin/busybox"];

/// The applets that the cases use.
const APPLETS: &[&str] = &[
    "[", "cat", "chmod", "chown", "cut", "dd", "df", "echo", "env", "false", "grep", "head",
    "hostname", "id", "kill", "ln", "ls", "mkdir", "mknod", "mount", "nc", "ps", "pwd", "rm",
    "seq", "sh", "sleep", "stat", "stty", "tail", "test", "touch", "tr", "true", "tty", "ulimit",
    "uname", "wc", "yes",
];

/// How long something may take that happens in the background.
const PATIENCE: Duration = Duration::from_secs(30);

/// A real client and our engine with the image `busybox`.
pub(crate) struct Docker {
    program: PathBuf,
    engine: Engine,
    scratch: Scratch,
}

impl Docker {
    /// Starts the engine; or says why there cannot be one.
    pub(crate) fn find() -> Result<Self, String> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let program = std::env::split_paths(&path)
            .map(|dir| dir.join("docker"))
            .find(|program| is_real(program))
            .ok_or(
                "no real docker client of version 26 or later is on the PATH (package docker-cli)",
            )?;
        let busybox = BUSYBOX
            .iter()
            .find(|path| std::path::Path::new(path).exists())
            .ok_or("busybox is not installed (package busybox-static)")?;
        let engine = Engine::start_empty().map_err(|error| error.to_string())?;
        let scratch = Scratch::create("docker-client").map_err(|error| error.to_string())?;
        let docker = Self {
            program,
            engine,
            scratch,
        };
        docker.import(busybox);
        Ok(docker)
    }

    fn import(&self, busybox: &str) {
        let root = self.scratch.join("rootfs");
        for dir in ["bin", "dev", "etc", "proc", "sys", "tmp", "var"] {
            std::fs::create_dir_all(root.join(dir)).unwrap();
        }
        std::fs::copy(busybox, root.join("bin/busybox")).unwrap();
        for applet in APPLETS {
            std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).unwrap();
        }
        let users = "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home:/bin/sh\n";
        std::fs::write(root.join("etc/passwd"), users).unwrap();
        std::fs::write(
            root.join("etc/group"),
            "root:x:0:\nuser:x:1000:\naudio:x:29:\n",
        )
        .unwrap();
        let tar = self.scratch.join("rootfs.tar");
        let made = Command::new("tar")
            .arg("-cf")
            .arg(&tar)
            .arg("-C")
            .arg(&root)
            .arg(".")
            .status();
        assert!(made.unwrap().success(), "tar makes the root file system");
        let tar = tar.display().to_string();
        self.ok(&[
            "import",
            "-c",
            "CMD [\"sh\"]",
            "-c",
            "ENV PATH=/bin",
            &tar,
            "busybox:latest",
        ]);
    }

    /// The client's own executable.
    pub(crate) fn program(&self) -> &std::path::Path {
        &self.program
    }

    /// What the client calls itself.
    pub(crate) fn version(&self) -> String {
        self.ok(&["--version"])
    }

    /// A folder of the tests.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let folder = self.scratch.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// The client with arguments.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env_remove("DOCKER_CONTEXT")
            .env(
                "DOCKER_HOST",
                format!("unix://{}", self.engine.socket().display()),
            )
            .env("DOCKER_CONFIG", self.scratch.join("config"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments)
            .output()
            .expect("docker can be executed")
    }

    /// Runs a command with something to read.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &[u8]) -> Output {
        use std::io::Write;
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap()
    }

    /// Starts a command that goes on.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments)
            .spawn()
            .expect("docker can be executed")
    }

    /// The trimmed output of a command that must succeed.
    #[track_caller]
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "docker {} ended with {}: {}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// A command must end with this code and complain with these words.
    #[track_caller]
    pub(crate) fn fails(&self, arguments: &[&str], code: i32, words: &str) {
        let output = self.run(arguments);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(code),
            "docker {}: {complaint}",
            arguments.join(" ")
        );
        assert!(
            complaint.contains(words),
            "docker {}: {complaint:?} does not say {words:?}",
            arguments.join(" ")
        );
    }

    /// What a command that succeeds warns of.
    #[track_caller]
    pub(crate) fn warnings(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.success(),
            "docker {}: {complaint}",
            arguments.join(" ")
        );
        complaint
    }

    /// What a container prints that runs to its end.
    #[track_caller]
    pub(crate) fn prints(&self, options: &[&str], program: &[&str]) -> String {
        let mut arguments = vec!["run", "--rm", "--network", "none"];
        arguments.extend(options);
        arguments.push("busybox");
        arguments.extend(program);
        self.ok(&arguments)
    }

    /// Starts a container that sleeps; the guard removes it.
    #[track_caller]
    pub(crate) fn sleeper<'d>(&'d self, name: &str, options: &[&str]) -> Container<'d> {
        let mut arguments = vec!["run", "-d", "--network", "none", "--name", name];
        arguments.extend(options);
        // An init, so that a stop does not wait for a shell that does not listen.
        arguments.extend(["--init", "busybox", "sleep", "600"]);
        self.ok(&arguments);
        self.guard(name)
    }

    /// Removes a container at the end.
    pub(crate) fn guard<'d>(&'d self, name: &str) -> Container<'d> {
        Container {
            docker: self,
            name: name.to_owned(),
        }
    }

    /// A connection to the engine after the head of an answer that upgrades.
    pub(crate) fn hijack(&self, path: &str) -> UnixStream {
        use std::io::{Read, Write};
        let mut stream = UnixStream::connect(self.engine.socket()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n"
        )
        .unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        assert!(
            head.starts_with(b"HTTP/1.1 101"),
            "{}",
            String::from_utf8_lossy(&head)
        );
        stream
    }

    /// `docker inspect --format`.
    #[track_caller]
    pub(crate) fn inspect(&self, name: &str, format: &str) -> String {
        self.ok(&["inspect", "--format", format, name])
    }

    /// Waits until something that happens in the background has happened.
    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, is: impl Fn() -> bool) {
        let until = Instant::now() + PATIENCE;
        while !is() {
            assert!(Instant::now() < until, "never: {what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until a format of `inspect` gives a value.
    #[track_caller]
    pub(crate) fn wait_for(&self, name: &str, format: &str, value: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            let found = self.inspect(name, format);
            if found == value {
                return;
            }
            assert!(
                Instant::now() < until,
                "{name}: {format} stays {found} and never is {value}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// A container that is removed at the end of a case.
pub(crate) struct Container<'d> {
    docker: &'d Docker,
    name: String,
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        // It may have removed itself.
        self.docker.run(&["rm", "-f", "-v", &self.name]);
    }
}

/// Not a link to our own executable, and young enough to word things as these cases expect.
fn is_real(program: &std::path::Path) -> bool {
    let output = Command::new(program).arg("--version").output();
    let words = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let major = words.ok().and_then(|words| {
        let version = words.strip_prefix("Docker version ")?;
        version.split('.').next()?.parse::<u32>().ok()
    });
    major.is_some_and(|major| major >= 26)
        && program
            .canonicalize()
            .is_ok_and(|path| path.file_name().is_some_and(|name| name != "quai"))
}
