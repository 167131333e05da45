//! What a build asks of the daemon: images, and containers for RUN.
//!
//! The container of a RUN is known to `ps`, `kill` and `exec` while it runs, but has no record on disk: a daemon that
//! dies forgets it, and ends what is left of it when it comes back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tokio::runtime::Handle;

use crate::api::types::{ContainerConfig, HostConfig};
use crate::build::{BuildError, BuildHost, Event, Fetched, Report, RunEnd, RunWish};
use crate::dockerfile::Network;
use crate::image::{Image, ImageError, Reference};
use crate::oci::Digest;
use crate::runtime::client::{AttachStream, ShimClient};
use crate::runtime::handshake::{ExitRecord, Output, Streams, Target};
use crate::runtime::launch;
use crate::runtime::request::{Access, Keeping, MountSource, Root, Writable};

use super::build::{BuildOptions, Intermediate, PullPolicy};
use super::build_fetch::GitSource;
use super::container::{Container, ContainerRecord, Ended, Running, State};
use super::init_layer::Place;
use super::networks::Removal;
use super::pull::PulledTags;
use super::{Daemon, DaemonError, ProgressSink, PullRequest, names};

/// Containers of one build that run now, so that they can be ended with it.
#[derive(Debug, Default)]
pub(super) struct Runs {
    state: Mutex<(bool, BTreeMap<String, ShimClient>)>,
}

impl Runs {
    /// Ends everything, now and from now on.
    pub(super) fn cancel(&self) {
        let shims: Vec<ShimClient> = {
            let mut state = self.state.lock().expect("no panic while holding it");
            state.0 = true;
            state.1.values().cloned().collect()
        };
        for shim in shims {
            if let Err(error) = shim.signal(Target::Init, 9) {
                tracing::debug!("a command of a cancelled build is gone already: {error}");
            }
        }
    }

    fn is_cancelled(&self) -> bool {
        self.state.lock().expect("no panic while holding it").0
    }

    fn add(&self, id: &str, shim: &ShimClient) {
        let mut state = self.state.lock().expect("no panic while holding it");
        state.1.insert(id.to_owned(), shim.clone());
    }

    fn remove(&self, id: &str) {
        self.state
            .lock()
            .expect("no panic while holding it")
            .1
            .remove(id);
    }
}

/// The daemon, as one build sees it.
pub(super) struct Host<'a> {
    daemon: &'a Arc<Daemon>,
    options: &'a BuildOptions,
    handle: Handle,
    runs: &'a Runs,
    /// By name, whether it has been looked for in this build; two stages on one base get the same.
    fetched: Mutex<BTreeMap<String, Arc<Mutex<bool>>>>,
}

impl<'a> Host<'a> {
    pub(super) fn new(
        daemon: &'a Arc<Daemon>,
        options: &'a BuildOptions,
        handle: Handle,
        runs: &'a Runs,
    ) -> Self {
        Self {
            daemon,
            options,
            handle,
            runs,
            fetched: Mutex::default(),
        }
    }
}

/// What the client has for the registry of a name.
pub(super) fn credentials_for(
    options: &BuildOptions,
    name: &Reference,
) -> crate::registry::Credentials {
    let domain = name.domain();
    let known = options.credentials.iter().find(|(host, _)| {
        let host = host
            .trim_start_matches("https://")
            .trim_start_matches("http://");
        let host = host.split('/').next().unwrap_or_default();
        host == domain || (domain == "docker.io" && host == "index.docker.io")
    });
    known
        .map(|(_, credentials)| credentials.clone())
        .unwrap_or_default()
}

fn told(error: &DaemonError) -> BuildError {
    BuildError::Host(error.to_string())
}

impl BuildHost for Host<'_> {
    fn image(&self, name: &str, stage: usize, report: &dyn Report) -> Result<Image, BuildError> {
        let turn = {
            let mut fetched = self.fetched.lock().expect("no panic while holding it");
            Arc::clone(fetched.entry(name.to_owned()).or_default())
        };
        // Whoever comes second waits for the first one's pull.
        let mut known = turn.lock().expect("no panic while holding it");
        let is_first = !std::mem::replace(&mut *known, true);
        let again =
            is_first && self.options.pull == PullPolicy::Always && Digest::from_hex(name).is_err();
        if !again {
            match Image::find(&self.daemon.store, name) {
                Err(ImageError::NotFound(_)) => {}
                found => return Ok(found?),
            }
        }
        let (sink, mut messages) = ProgressSink::new();
        let daemon = Arc::clone(self.daemon);
        let request = self.pull_request(name).map_err(|error| told(&error))?;
        let pulled = self
            .handle
            .spawn(async move { daemon.pull(request, sink).await });
        while let Some(message) = messages.blocking_recv() {
            report.tell(
                stage,
                Event::Pull(serde_json::to_value(&message).unwrap_or_default()),
            );
        }
        let result = self
            .handle
            .block_on(pulled)
            .map_err(|error| BuildError::Host(error.to_string()))?;
        result.map_err(|error| told(&error))?;
        let name = Reference::parse(name).map_err(ImageError::from)?;
        Ok(Image::find(&self.daemon.store, &name.to_string())?)
    }

    fn run(
        &self,
        wish: RunWish<'_>,
        stage: usize,
        report: &dyn Report,
    ) -> Result<RunEnd, BuildError> {
        if self.runs.is_cancelled() {
            return Err(BuildError::Cancelled);
        }
        let run = Run {
            host: self,
            record: self.record(&wish).map_err(|error| told(&error))?,
        };
        run.finish(wish, stage, report)
            .map_err(|error| told(&error))
    }

    fn fetch(&self, url: &str, into: &Path) -> Result<Fetched, BuildError> {
        self.daemon.fetch_file(url, into)
    }

    fn fetch_git(&self, address: &str, into: &Path) -> Result<PathBuf, BuildError> {
        let source = GitSource::parse(address).ok_or_else(|| {
            BuildError::Value(format!("{address} is no address of a git repository"))
        })?;
        self.daemon.fetch_git(&source, into)
    }

    fn cancelled(&self) -> bool {
        self.runs.is_cancelled()
    }
}

impl Host<'_> {
    /// Asks for one tag, with the credentials that the client has for its registry.
    fn pull_request(&self, name: &str) -> Result<PullRequest, DaemonError> {
        let reference = Reference::parse(name)?;
        let credentials = credentials_for(self.options, &reference);
        Ok(PullRequest {
            reference,
            tags: PulledTags::One,
            platform: self
                .options
                .platform
                .as_ref()
                .map(|platform| platform.to_string().parse())
                .transpose()
                .map_err(|error: crate::oci::BadPlatform| {
                    DaemonError::Invalid(error.to_string())
                })?,
            credentials,
        })
    }

    fn record(&self, wish: &RunWish<'_>) -> Result<ContainerRecord, DaemonError> {
        let id = names::random_id();
        let mut host_config: HostConfig = self.options.host_config.clone();
        match wish.network {
            Network::Default => {}
            Network::None => host_config.network_mode = "none".into(),
            Network::Host => host_config.network_mode = "host".into(),
        }
        super::create::fill(&mut host_config, &super::sysinfo::SysInfo::detect());
        let config = ContainerConfig {
            hostname: id[..12].to_owned(),
            user: wish.config.user.clone(),
            env: wish.env.clone(),
            cmd: Some(wish.argv.clone()),
            working_dir: wish.config.working_dir.clone(),
            labels: wish.config.labels.clone().unwrap_or_default(),
            image: wish
                .image
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            ..ContainerConfig::default()
        };
        let image_id = wish.image.clone().unwrap_or_else(|| Digest::of(b""));
        // The layers of a build get their places at its end.
        let mut record = ContainerRecord::new(id, image_id, config, host_config);
        record.name = names::random(|name| self.daemon.container(name).is_ok());
        let places = self.daemon.wanted_endpoints(&record, BTreeMap::new())?;
        (record.endpoints, record.attachments) = (places.endpoints, places.attachments);
        Ok(record)
    }
}

/// One command.
struct Run<'a> {
    host: &'a Host<'a>,
    record: ContainerRecord,
}

impl Run<'_> {
    fn finish(
        mut self,
        wish: RunWish<'_>,
        stage: usize,
        report: &dyn Report,
    ) -> Result<RunEnd, DaemonError> {
        let daemon = self.host.daemon;
        let id = self.record.id.clone();
        let dir = daemon.container_dir(&id);
        std::fs::create_dir_all(&dir)
            .map_err(DaemonError::io(format!("make {}", dir.display())))?;
        let container = Arc::new(Container::new(self.record.clone()));
        daemon
            .containers
            .write()
            .expect("no panic while holding it")
            .insert(id.clone(), Arc::clone(&container));
        report.tell(stage, Event::Running(id.clone()));
        let ended = self.perform(&container, &wish, stage, report);
        self.host.runs.remove(&id);
        let removal = match &ended {
            Ok(_) => Removal::ByTheKernel,
            Err(_) => Removal::Now,
        };
        daemon.disconnect(&self.record, removal);
        daemon.release(&container);
        if let Err(error) = launch::forget(&id, &daemon.paths) {
            tracing::warn!("cannot clear the run of {id}: {error}");
        }
        let keep = match (&ended, self.host.options.intermediate) {
            (Ok(ended), Intermediate::RemovedOnSuccess) => {
                ended.code != 0 && !self.host.runs.is_cancelled()
            }
            (Ok(_), Intermediate::Kept) => !self.host.runs.is_cancelled(),
            _ => false,
        };
        let kept = match &ended {
            Ok(exit) if keep => self.keep(&container, &wish, exit).map(|()| true),
            _ => self.forget(&container).map(|()| false),
        };
        let exit = ended?;
        Ok(RunEnd {
            code: exit.code,
            container: id,
            kept: kept?,
        })
    }

    fn perform(
        &mut self,
        container: &Arc<Container>,
        wish: &RunWish<'_>,
        stage: usize,
        report: &dyn Report,
    ) -> Result<ExitRecord, DaemonError> {
        // The stages are built on threads of their own; the resolver of names is a task of the runtime.
        let _inside = self.host.handle.enter();
        let daemon = self.host.daemon;
        let init = daemon.container_dir(&self.record.id).join("init");
        let places: Vec<Place<'_>> = wish
            .mounts
            .iter()
            .map(|mount| match &mount.source {
                MountSource::Engine(path) if path.is_file() => Place::File(&mount.target),
                _ => Place::Dir(&mount.target),
            })
            .collect();
        super::init_layer::make_at(&init, &wish.lowers, &places)?;
        let mut request = daemon.wish(&self.record)?;
        let lower = std::iter::once(init)
            .chain(wish.lowers.iter().cloned())
            .collect();
        let writable = Some(Writable {
            upper: wish.layer.tree(),
            work: wish.layer.work(),
            // The layer is made durable with all others, at the end of the build.
            keeping: Keeping::UntilReboot,
        });
        request.root = Root {
            lower,
            writable,
            access: Access::ReadWrite,
        };
        request.mounts.extend(wish.mounts.iter().cloned());
        request.log = crate::logs::spec::LogSpec::None;
        daemon.allocate(&mut self.record)?;
        {
            let mut inner = container.lock();
            inner.record.endpoints.clone_from(&self.record.endpoints);
            inner
                .record
                .attachments
                .clone_from(&self.record.attachments);
        }
        daemon.write_network_files(&self.record)?;
        let created = launch::create(&request, &daemon.stage, &daemon.paths)?;
        let started = self.start(container, &created);
        if let Err(error) = started {
            if let Err(second) = created.shim.signal(Target::Init, 9) {
                tracing::debug!("the prepared command is gone already: {second}");
            }
            return Err(error);
        }
        let mut stream = started?;
        loop {
            match stream.next_output() {
                Ok(Some(Output::Stdout(bytes))) => report.tell(
                    stage,
                    Event::Output {
                        is_error: false,
                        bytes,
                    },
                ),
                Ok(Some(Output::Stderr(bytes))) => report.tell(
                    stage,
                    Event::Output {
                        is_error: true,
                        bytes,
                    },
                ),
                Ok(Some(Output::Exited(exit))) => return Ok(exit),
                Ok(None) | Err(_) => {
                    let directory = daemon.paths.container(&self.record.id);
                    return Ok(launch::load_exit(&directory).unwrap_or_else(super::exits::lost));
                }
            }
        }
    }

    fn start(
        &self,
        container: &Arc<Container>,
        created: &launch::Created,
    ) -> Result<AttachStream, DaemonError> {
        let daemon = self.host.daemon;
        {
            // Names of a network are served by tasks of the engine's runtime, which this thread is none of.
            let _runtime = self.host.handle.enter();
            daemon.connect(container, &self.record, created.engine_pid)?;
        }
        let streams = Streams {
            stdin: false,
            stdout: true,
            stderr: true,
        };
        let stream = created.shim.attach(Target::Init, streams)?;
        self.host.runs.add(&self.record.id, &created.shim);
        if self.host.runs.is_cancelled() {
            return Err(DaemonError::Invalid(BuildError::Cancelled.to_string()));
        }
        let started = created.shim.start()?;
        let mut inner = container.lock();
        inner.shim = Some(created.shim.clone());
        inner.record.state = State::Running(Running {
            pid: started.pid,
            engine_pid: started.engine_pid,
            since: started.at,
            oom_killed: false,
        });
        drop(inner);
        container.ends.send_modify(|ends| ends.running = true);
        Ok(stream)
    }

    /// The container of a command that failed stays, as an ordinary one that has ended.
    fn keep(
        &self,
        container: &Arc<Container>,
        wish: &RunWish<'_>,
        exit: &ExitRecord,
    ) -> Result<(), DaemonError> {
        let daemon = self.host.daemon;
        let dir = daemon.container_dir(&self.record.id);
        let fail = || DaemonError::io(format!("keep {}", dir.display()));
        if exit.code == 0 {
            // What it wrote is the next layer already.
            std::fs::create_dir_all(dir.join("upper")).map_err(fail())?;
        } else {
            std::fs::rename(wish.layer.tree(), dir.join("upper")).map_err(fail())?;
        }
        std::fs::create_dir_all(dir.join("work")).map_err(fail())?;
        {
            let mut inner = container.lock();
            inner.shim = None;
            inner.record.layers.clone_from(&wish.chains);
            inner.record.state = State::Exited(Ended {
                code: exit.code,
                oom_killed: exit.oom_killed,
                started_at: exit.started_at,
                finished_at: exit.finished_at,
                error: String::new(),
            });
        }
        container.ends.send_modify(|ends| {
            (ends.code, ends.running) = (exit.code, false);
            ends.count += 1;
        });
        daemon.save(container)
    }

    fn forget(&self, container: &Arc<Container>) -> Result<(), DaemonError> {
        let daemon = self.host.daemon;
        daemon
            .containers
            .write()
            .expect("no panic while holding it")
            .remove(&self.record.id);
        container
            .ends
            .send_modify(|ends| (ends.running, ends.removed) = (false, true));
        Ok(daemon.records.remove(&self.record.id)?)
    }
}
