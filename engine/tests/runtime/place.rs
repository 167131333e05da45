//! A place for one test: a busybox root, an exec root, and a check that nothing stays behind.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use engine::runtime::client::ShimClient;
use engine::runtime::handshake::{ExitRecord, Output, Streams, Target};
use engine::runtime::launch::{self, Created, LaunchError, Paths};
use engine::runtime::request::{ProcessSpec, Root, RunRequest, Writable};
use engine::stage::Stage;

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

/// A place that is removed when it is dropped.
pub(crate) struct Place {
    directory: PathBuf,
    pub(crate) paths: Paths,
    pub(crate) stage: Stage,
    pub(crate) id: String,
}

impl Place {
    /// A new place on this host.
    pub(crate) fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let id = format!("test-{name}-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(format!("quai-{id}"));
        make_busybox(&directory.join("lower"));
        for part in ["upper", "work", "run"] {
            std::fs::create_dir_all(directory.join(part)).unwrap();
        }
        Self {
            paths: Paths {
                exec_root: directory.join("run"),
                executable: "/proc/self/exe".into(),
            },
            directory,
            stage: Stage::Host,
            id,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// A wish for this command in a fresh overlay.
    pub(crate) fn request(&self, command: &[&str]) -> RunRequest {
        RunRequest {
            id: self.id.clone(),
            hostname: "box".to_owned(),
            root: Root {
                lower: vec![self.path("lower")],
                writable: Some(Writable {
                    upper: self.path("upper"),
                    work: self.path("work"),
                    ..Writable::default()
                }),
                ..Root::default()
            },
            process: process(command),
            ..RunRequest::default()
        }
    }

    pub(crate) fn create(&self, request: &RunRequest) -> Result<Created, LaunchError> {
        launch::create(request, &self.stage, &self.paths)
    }

    /// Runs it to the end; what it printed, what it complained, how it ended.
    pub(crate) fn run(&self, request: &RunRequest) -> Done {
        let created = self
            .create(request)
            .unwrap_or_else(|e| panic!("create: {e:?}"));
        let stream = created.shim.attach(Target::Init, ALL).unwrap();
        created
            .shim
            .start()
            .unwrap_or_else(|e| panic!("start: {e:?}"));
        drain(stream)
    }

    /// Runs a shell line to the end.
    pub(crate) fn sh(&self, line: &str) -> Done {
        self.run(&self.request(&["sh", "-c", line]))
    }

    /// The cgroup directories of the container that exist.
    pub(crate) fn groups(&self) -> Vec<PathBuf> {
        use engine::runtime::cgroups::path;
        let group = engine::runtime::cgroups::of(&path(&self.stage, "", &self.id)).unwrap();
        group.directories().filter(|d| d.exists()).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let shim = ShimClient::in_directory(&self.paths.container(&self.id));
        let _ = shim.signal(Target::Init, 9);
        let _ = shim.wait(Target::Init);
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Every stream.
pub(crate) const ALL: Streams = Streams {
    stdin: true,
    stdout: true,
    stderr: true,
};

/// What a process left.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) exit: ExitRecord,
}

/// A process with the usual rights.
pub(crate) fn process(command: &[&str]) -> ProcessSpec {
    ProcessSpec {
        argv: command.iter().map(|&word| word.to_owned()).collect(),
        ..ProcessSpec::default()
    }
}

/// Reads a stream to its end.
pub(crate) fn drain(mut stream: engine::runtime::client::AttachStream) -> Done {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    loop {
        match stream.next_output().unwrap() {
            Some(Output::Stdout(bytes)) => out.extend(bytes),
            Some(Output::Stderr(bytes)) => err.extend(bytes),
            Some(Output::Exited(exit)) => {
                let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
                return Done {
                    out: text(out),
                    err: text(err),
                    exit,
                };
            }
            None => panic!("the shim closed without a word"),
        }
    }
}

fn make_busybox(root: &Path) {
    for directory in ["bin", "etc", "root", "tmp", "home"] {
        std::fs::create_dir_all(root.join(directory)).unwrap();
    }
    std::fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
    let list = std::process::Command::new("/bin/busybox")
        .arg("--list")
        .output()
        .unwrap();
    for applet in String::from_utf8(list.stdout).unwrap().lines() {
        if applet != "busybox" {
            std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).unwrap();
        }
    }
    std::fs::write(
        root.join("etc/passwd"),
        "root:x:0:0:root:/root:/bin/sh\nwww:x:33:34:www:/home:/bin/sh\n",
    )
    .unwrap();
    std::fs::write(
        root.join("etc/group"),
        "root:x:0:\nweb:x:34:\nlogs:x:50:www\n",
    )
    .unwrap();
}
