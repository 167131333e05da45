//! An engine of the test's own: `quai engine` on a plain host, with the catalogue that `script/images` made.

use std::fs::File;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::executable;
use crate::scratch::Scratch;

/// How long an engine may take to listen.
const PATIENCE: Duration = Duration::from_secs(20);

/// The store with the base images, when the caller has one: `$QUAI_STORE`.
pub fn catalogue() -> Option<PathBuf> {
    let store = PathBuf::from(std::env::var_os("QUAI_STORE")?);
    store.join("tags.json").is_file().then_some(store)
}

/// A running engine; its containers and its process end with it.
pub struct Engine {
    process: Child,
    scratch: Scratch,
    catalogue: Option<PathBuf>,
    network: Network,
    flags: Vec<String>,
}

/// Where an engine makes its bridges and rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Network {
    /// In a new namespace at each start.
    Own,
    /// In that of the thread that starts it, which outlives a crash.
    Callers,
}

impl Engine {
    /// Starts one with nothing in it but what `catalogue` offers to pull.
    pub fn start(catalogue: &Path) -> Result<Self> {
        Self::start_on(Some(catalogue.to_path_buf()), Network::Own, &[])
    }

    /// The same in the network namespace of the calling thread, so that what a crash leaves there is seen.
    pub fn start_here(catalogue: &Path) -> Result<Self> {
        Self::start_here_with(catalogue, &[])
    }

    /// The same with more flags.
    pub fn start_here_with(catalogue: &Path, flags: &[&str]) -> Result<Self> {
        Self::start_on(Some(catalogue.to_path_buf()), Network::Callers, flags)
    }

    /// Starts one with nothing in it at all.
    pub fn start_empty() -> Result<Self> {
        Self::start_on(None, Network::Own, &[])
    }

    fn start_on(catalogue: Option<PathBuf>, network: Network, flags: &[&str]) -> Result<Self> {
        let scratch = Scratch::create("engine")?;
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let process = spawn(&scratch, catalogue.as_deref(), network, &flags)?;
        let mut engine = Self {
            process,
            scratch,
            catalogue,
            network,
            flags,
        };
        engine.wait_until_it_listens()?;
        Ok(engine)
    }

    /// Kills it as a crash would and starts it again on the same data.
    pub fn crash_and_restart(&mut self) -> Result<()> {
        self.crash()?;
        self.restart()
    }

    /// Kills it as a crash would. Its containers go on.
    pub fn crash(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// Starts it again on the same data.
    pub fn restart(&mut self) -> Result<()> {
        let catalogue = self.catalogue.as_deref();
        self.process = spawn(&self.scratch, catalogue, self.network, &self.flags)?;
        self.wait_until_it_listens()
    }

    /// `docker ARGUMENTS…` against this engine.
    pub fn docker(&self, arguments: &[&str]) -> Command {
        let mut command = executable::command(["docker"]).expect("the executable is there");
        command
            .arg("-H")
            .arg(format!("unix://{}", self.socket().display()));
        command.args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs a docker command to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.docker(arguments)
            .output()
            .expect("quai can be executed")
    }

    /// The trimmed standard output of a docker command that must succeed.
    #[track_caller]
    pub fn stdout(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "docker {} ended with {}:\n{}\nengine's log:\n{}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr),
            self.log()
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// The pid of a container's first process, as this host sees it.
    #[track_caller]
    pub fn pid(&self, container: &str) -> u32 {
        let pid = self.stdout(&["inspect", "--format", "{{.State.Pid}}", container]);
        pid.parse()
            .unwrap_or_else(|_| panic!("inspect gave the pid {pid:?}"))
    }

    /// The engine's own process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// What the engine has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.scratch.join("engine.log")).unwrap_or_default()
    }

    /// Where the engine keeps what it must not lose.
    pub fn data_root(&self) -> PathBuf {
        self.scratch.join("data")
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.scratch.join("engine.sock")
    }

    fn wait_until_it_listens(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while UnixStream::connect(self.socket()).is_err() {
            if let Some(status) = self.process.try_wait()? {
                bail!("the engine ended with {status}:\n{}", self.log());
            }
            if Instant::now() > deadline {
                bail!(
                    "the engine does not listen after {PATIENCE:?}:\n{}",
                    self.log()
                );
            }
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

fn spawn(
    scratch: &Scratch,
    catalogue: Option<&Path>,
    network: Network,
    flags: &[String],
) -> Result<Child> {
    let log = File::options()
        .create(true)
        .append(true)
        .open(scratch.join("engine.log"))?;
    // In a network namespace of its own: its bridge and its rules are not the host's.
    let mut command = match network {
        Network::Own => {
            let mut command = Command::new("unshare");
            command.args(["--net", "--"]).arg(executable::path()?);
            command
        }
        Network::Callers => Command::new(executable::path()?),
    };
    command.arg("engine").args(flags);
    command.arg("--data-root").arg(scratch.join("data"));
    command.arg("--exec-root").arg(scratch.join("exec"));
    if let Some(catalogue) = catalogue {
        command.arg("--catalogue").arg(catalogue);
    }
    command
        .arg("-H")
        .arg(format!("unix://{}", scratch.join("engine.sock").display()));
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    command.spawn().context("cannot start quai engine")
}

impl Drop for Engine {
    fn drop(&mut self) {
        let containers = self.run(&["ps", "-aq", "--no-trunc"]);
        for id in String::from_utf8_lossy(&containers.stdout).split_whitespace() {
            self.run(&["rm", "-f", id]);
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
        // An engine that had crashed removed nothing: what is left is ended by its control groups. Its bridge and rules
        // go with its network namespace.
        for run in std::fs::read_dir(self.scratch.join("exec"))
            .into_iter()
            .flatten()
        {
            let Ok(run) = run else { continue };
            end_group(&run.file_name().to_string_lossy());
        }
    }
}

/// Ends the processes of a container by its id; its shim then ends by itself.
fn end_group(id: &str) {
    use engine::runtime::cgroups;
    let path = cgroups::path(&engine::stage::Stage::Host, "", id);
    let Ok(group) = cgroups::of(&path) else {
        return;
    };
    if id.len() == 64 && group.exists() {
        let _ = group.kill();
        group.wait_empty(PATIENCE);
        let _ = group.remove();
    }
}
