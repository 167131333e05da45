//! `quai build`: `docker build`; with `--daemonless`, by an engine that lives as long as the build and needs no root.
//!
//! What kaniko does, with the same builder as everywhere: an ordinary user gets a user namespace (with the ids of
//! `/etc/subuid`, or with its own alone), the engine in it listens on a socket that only this user can reach, has no
//! networks (RUN uses the host's), and ends with the build.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitCode};
use std::sync::mpsc;

use anyhow::{Context, bail};
use engine::oci::Digest;
use engine::roles::user_root::{self, OwnIds};

/// Options of this command alone; the others are those of `docker build`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Own {
    daemonless: bool,
    data_root: Option<PathBuf>,
    /// Handed to the engine.
    engine: Vec<OsString>,
    has_network: bool,
    rest: Vec<OsString>,
}

/// Options with a value that the engine understands.
const ENGINES: [&str; 3] = [
    "--allow-private-fetch",
    "--insecure-registry",
    "--registry-mirror",
];

impl Own {
    fn take(words: Vec<OsString>) -> anyhow::Result<Self> {
        let mut own = Self::default();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let text = word.to_string_lossy().into_owned();
            let (name, value) = match text.split_once('=') {
                Some((name, value)) => (name, Some(OsString::from(value))),
                None => (text.as_str(), None),
            };
            let mut value = || {
                let next = value.clone().or_else(|| words.next());
                next.with_context(|| format!("flag needs an argument: {name}"))
            };
            match name {
                "--daemonless" => own.daemonless = true,
                "--data-root" => own.data_root = Some(value()?.into()),
                name if ENGINES.contains(&name) => own.engine.extend([name.into(), value()?]),
                "--network" => {
                    own.has_network = true;
                    own.rest.push(word);
                }
                _ => own.rest.push(word),
            }
        }
        Ok(own)
    }
}

/// Builds.
pub(crate) fn run(words: Vec<OsString>) -> ExitCode {
    let asks = words.iter().any(|word| word == "--daemonless");
    if !asks {
        return engine::cli::main(std::iter::once("build".into()).chain(words).collect());
    }
    match daemonless(words) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("quai build: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn daemonless(words: Vec<OsString>) -> anyhow::Result<ExitCode> {
    let own = Own::take(words)?;
    let data_root = match own.data_root {
        Some(path) => path,
        None => default_data_root()?,
    };
    std::fs::create_dir_all(&data_root)
        .with_context(|| format!("cannot make {}", data_root.display()))?;
    let data_root = data_root.canonicalize()?;
    let exec_root = private_folder(&data_root)?;
    let socket = exec_root.join("engine.sock");
    let host = format!("unix://{}", socket.display());
    let mut call: Vec<OsString> = [
        "engine",
        "--bridge",
        "none",
        "--log-level",
        "error",
        "-H",
        &host,
    ]
    .map(OsString::from)
    .into();
    // Nobody else's group: this user's own, whatever the host's docker group is.
    call.extend(["--group", "0"].map(OsString::from));
    call.extend(["--data-root".into(), data_root.into_os_string()]);
    call.extend(["--exec-root".into(), exec_root.clone().into_os_string()]);
    call.extend(own.engine);
    let engine = Engine::start(&call).inspect_err(|_| {
        // Empty, unless another build on this data root works there.
        let _ = std::fs::remove_dir(&exec_root);
    })?;
    let mut build: Vec<OsString> = ["-H", &host, "build"].map(OsString::from).into();
    if !own.has_network {
        build.extend(["--network", "host"].map(OsString::from));
    }
    build.extend(own.rest);
    let code = engine::cli::main(build);
    engine.end();
    // What a build that was killed leaves there, the next one clears.
    let _ = std::fs::remove_dir_all(&exec_root);
    Ok(code)
}

/// `$XDG_DATA_HOME/quai/build`, as the base directory specification says; for root a folder of the system.
fn default_data_root() -> anyhow::Result<PathBuf> {
    if kernel::process::effective_uid() == 0 {
        return Ok("/var/lib/quai-build".into());
    }
    let given = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let home = || given("HOME").map(|home| Path::new(&home).join(".local/share"));
    let base = given("XDG_DATA_HOME").map(PathBuf::from).or_else(home);
    Ok(base
        .context("neither XDG_DATA_HOME nor HOME is set: say --data-root DIR")?
        .join("quai/build"))
}

/// A folder that only this user can enter, the same for every build on one data root, its path short enough for a
/// socket.
fn private_folder(data_root: &Path) -> anyhow::Result<PathBuf> {
    let uid = kernel::process::effective_uid();
    let digest = Digest::of(data_root.as_os_str().as_encoded_bytes());
    let name = format!("quai-build-{uid}-{}", digest.short());
    let base = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let base = base.filter(|dir| dir.metadata().is_ok_and(|found| found.uid() == uid));
    let folder = base.unwrap_or_else(|| "/tmp".into()).join(name);
    match std::fs::DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        made => made.with_context(|| format!("cannot make {}", folder.display()))?,
    }
    let found = std::fs::symlink_metadata(&folder)?;
    if !found.is_dir() || found.uid() != uid || found.mode() & 0o077 != 0 {
        bail!("{} belongs to somebody else", folder.display());
    }
    Ok(folder)
}

/// The engine of one build.
struct Engine(Child);

impl Engine {
    fn start(call: &[OsString]) -> anyhow::Result<Self> {
        let (mut child, ids) = user_root::spawn(call)?;
        let errors = child
            .stderr
            .take()
            .context("the engine has no standard error")?;
        let engine = Self(child);
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                // Once the engine listens nobody asks any more: what it complains about then is shown.
                if let Err(mpsc::SendError(line)) = tell.send(line) {
                    eprintln!("{line}");
                }
            }
        });
        let mut said = Vec::new();
        for line in &told {
            if line.starts_with("API listen on") {
                if ids == OwnIds::Single {
                    eprintln!(
                        "note: no further ids for this user (newuidmap and /etc/subuid): every file of the build \
                         belongs to root"
                    );
                }
                return Ok(engine);
            }
            said.push(line);
        }
        bail!(
            "the engine of this build did not start: {}",
            said.join("; ")
        )
    }

    /// Lets it end by itself.
    fn end(mut self) {
        let pid = i32::try_from(self.0.id()).expect("a pid is an int");
        if kernel::process::kill(pid, kernel::process::Signal::TERM).is_ok() {
            let _ = self.0.wait();
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // After `end` both do nothing.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn own_options_are_taken_out() {
        let words =
            "--daemonless -t x --data-root /d --network=none --insecure-registry=r:1 --push .";
        let own = Own::take(words.split(' ').map(OsString::from).collect()).unwrap();
        assert!(own.daemonless && own.has_network);
        assert_eq!(own.data_root.as_deref(), Some(Path::new("/d")));
        assert_eq!(own.engine, ["--insecure-registry", "r:1"]);
        assert_eq!(
            own.rest.join(OsStr::new(" ")),
            "-t x --network=none --push ."
        );
        assert!(Own::take(vec!["--data-root".into()]).is_err());
    }
}
