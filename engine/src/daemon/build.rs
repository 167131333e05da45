//! `build`: a context and options become an image with names.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::api::types::HostConfig;
use crate::build::{self, BuildError, CachePolicy, Context, NamedContext, Outcome, Platform};
use crate::dockerfile::{self, Ignore};
use crate::image::{Image, Reference, name_image};
use crate::oci::Digest;
use crate::store::TagsChange;

use super::build_cache::CacheTarget;
use super::build_fetch::RemoteContext;
use super::build_report::BuildReport;
use super::build_run::Host;
use super::{Daemon, DaemonError, names};

/// Where other directories lie in the body of a build.
pub(super) const FOLDERS: &str = ".quai-contexts";
/// A Dockerfile is not larger.
const DOCKERFILE_LIMIT: u64 = 5 << 20;

/// When the container of a RUN is removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Intermediate {
    /// When the command succeeds (`--rm`).
    #[default]
    RemovedOnSuccess,
    /// Always (`--force-rm`).
    RemovedAlways,
    /// Never (`--rm=false`).
    Kept,
}

/// Whether base images are fetched although they are here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PullPolicy {
    /// Only missing ones.
    #[default]
    Missing,
    /// All (`--pull`).
    Always,
}

/// What a client asks of a build.
#[derive(Clone, Debug, Default)]
pub struct BuildOptions {
    /// Path of the Dockerfile in the context.
    pub dockerfile: String,
    /// Names of the image.
    pub names: Vec<Reference>,
    /// A context by address instead of the body.
    pub remote: String,
    /// `--no-cache`.
    pub cache: CachePolicy,
    /// `--cache-from`: images, `registry:NAME`, or a folder of the body (`folder:N`).
    pub cache_from: Vec<String>,
    /// `--cache-to`: exports to registries.
    pub cache_to: Vec<CacheTarget>,
    /// `--pull`.
    pub pull: PullPolicy,
    /// `--rm`, `--force-rm`.
    pub intermediate: Intermediate,
    /// Limits, hosts and network of RUN.
    pub host_config: HostConfig,
    /// `--build-arg`.
    pub build_args: BTreeMap<String, Option<String>>,
    /// `--label`.
    pub labels: BTreeMap<String, String>,
    /// `--target`.
    pub target: Option<String>,
    /// `--platform`.
    pub platform: Option<Platform>,
    /// `--secret`, by id.
    pub secrets: BTreeMap<String, Vec<u8>>,
    /// Of registries, by host.
    pub credentials: BTreeMap<String, crate::registry::Credentials>,
    /// `--build-context`: images (`docker-image://`), addresses, or folders of the body (`folder:N`).
    pub contexts: BTreeMap<String, String>,
}

/// A build whose context has arrived and whose Dockerfile makes sense.
#[derive(Debug)]
pub struct PreparedBuild {
    request: build::Request,
    options: BuildOptions,
    _folders: Folders,
}

/// The folders of one build, gone with it.
#[derive(Debug)]
struct Folders {
    scratch: PathBuf,
    private: PathBuf,
}

impl Drop for Folders {
    fn drop(&mut self) {
        for dir in [&self.scratch, &self.private] {
            if let Err(error) = std::fs::remove_dir_all(dir)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!("cannot remove {}: {error}", dir.display());
            }
        }
    }
}

impl Daemon {
    /// Receives the context and reads the Dockerfile; what is wrong with it is told before anything is built.
    pub async fn prepare_build(
        self: &Arc<Self>,
        options: BuildOptions,
        body: impl Read + Send + 'static,
    ) -> Result<PreparedBuild, DaemonError> {
        self.block(move |daemon| daemon.prepare_build_now(options, body))
            .await
    }

    fn prepare_build_now(
        self: &Arc<Self>,
        options: BuildOptions,
        body: impl Read + Send + 'static,
    ) -> Result<PreparedBuild, DaemonError> {
        let id = names::random_id();
        let folders = Folders {
            scratch: self.config.data_root.join("builds").join(&id[..12]),
            private: self.config.exec_root.join(format!("build-{}", &id[..12])),
        };
        for dir in [&folders.scratch, &folders.private] {
            std::fs::create_dir_all(dir)
                .map_err(DaemonError::io(format!("make {}", dir.display())))?;
        }
        let mut dockerfile = options.dockerfile.clone();
        if dockerfile.is_empty() {
            dockerfile = "Dockerfile".into();
        }
        let mut sent = Context::read(super::files::plain(body)?, &folders.scratch)?;
        let contexts = self.named_contexts(&options.contexts, &mut sent, &folders.scratch)?;
        let (cache_from, imported) = self.caches(&options, &mut sent, &folders.scratch)?;
        sent.take(FOLDERS)?;
        let mut context = if options.remote.is_empty() {
            sent
        } else {
            match self.remote_context(&options.remote, Some("Dockerfile"), &folders.scratch)? {
                RemoteContext::Files(context) => context,
                RemoteContext::Alone(context) => {
                    "Dockerfile".clone_into(&mut dockerfile);
                    context
                }
            }
        };
        let text = context
            .file(&dockerfile, DOCKERFILE_LIMIT)?
            .ok_or_else(|| BuildError::NoDockerfile(dockerfile.clone()))?;
        let text = String::from_utf8(text)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        let own = context.file(&format!("{dockerfile}.dockerignore"), 16 << 20)?;
        let patterns = match own {
            Some(patterns) => Some(patterns),
            None => context.file(".dockerignore", 16 << 20)?,
        };
        if let Some(patterns) = patterns {
            context.ignore(&Ignore::parse(&patterns).map_err(BuildError::from)?)?;
        }
        let request = build::Request {
            dockerfile: dockerfile::parse(text.as_bytes()).map_err(BuildError::from)?,
            context,
            contexts,
            target: options.target.clone(),
            build_args: options.build_args.clone(),
            labels: options.labels.clone(),
            platform: options.platform.clone(),
            cache: options.cache,
            cache_from,
            imported,
            secrets: options.secrets.clone(),
            epoch: std::env::var("SOURCE_DATE_EPOCH")
                .ok()
                .and_then(|text| text.parse().ok()),
            scratch: folders.scratch.clone(),
            private: folders.private.clone(),
            caches: self.config.data_root.join("build-caches"),
        };
        Ok(PreparedBuild {
            request,
            options,
            _folders: folders,
        })
    }

    /// What `FROM`, `--from` and mounts may name beside stages and images.
    fn named_contexts(
        &self,
        given: &BTreeMap<String, String>,
        sent: &mut Context,
        scratch: &Path,
    ) -> Result<BTreeMap<String, NamedContext>, DaemonError> {
        let mut contexts = BTreeMap::new();
        for (number, (name, value)) in given.iter().enumerate() {
            let context = if let Some(folder) = value.strip_prefix("folder:") {
                NamedContext::Files(sent.take(&format!("{FOLDERS}/{folder}"))?)
            } else if value.starts_with("http://") || value.starts_with("https://") {
                let scratch = scratch.join(format!("context-{number}"));
                std::fs::create_dir(&scratch)
                    .map_err(DaemonError::io(format!("make {}", scratch.display())))?;
                let found = self.remote_context(value, None, &scratch)?;
                let (RemoteContext::Files(context) | RemoteContext::Alone(context)) = found;
                NamedContext::Files(context)
            } else {
                let image = value.strip_prefix("docker-image://").unwrap_or(value);
                NamedContext::Image(image.to_owned())
            };
            contexts.insert(name.clone(), context);
        }
        Ok(contexts)
    }

    /// Builds to the end, telling how it goes; an error is the stream's last message.
    pub async fn run_build(self: &Arc<Self>, prepared: PreparedBuild, report: BuildReport) {
        let daemon = Arc::clone(self);
        let handle = tokio::runtime::Handle::current();
        let report = Arc::new(report);
        let runs = Arc::new(super::build_run::Runs::default());
        let watcher = {
            let (report, runs) = (Arc::clone(&report), Arc::clone(&runs));
            tokio::spawn(async move {
                report.closed().await;
                let _ = tokio::task::spawn_blocking(move || runs.cancel()).await;
            })
        };
        let work = {
            let report = Arc::clone(&report);
            tokio::task::spawn_blocking(move || {
                let PreparedBuild {
                    request,
                    options,
                    _folders: folders,
                } = prepared;
                report.plan(request.dockerfile.stages.len());
                let host = Host::new(&daemon, &options, handle.clone(), &runs);
                let outcome = build::build(&daemon.store, &request, &host, &*report);
                let consumed = consumed(&request);
                drop(folders);
                daemon.finish_build(outcome, &options, &consumed, &report, &handle);
            })
        };
        if let Err(error) = work.await {
            let said = tokio::task::spawn_blocking(move || {
                report.fail(&DaemonError::Panic(error.to_string()).to_string(), None);
            });
            // Without a thread left for it, nobody can be told.
            let _ = said.await;
        }
        watcher.abort();
    }

    fn finish_build(
        self: &Arc<Self>,
        outcome: Outcome,
        options: &BuildOptions,
        consumed: &BTreeSet<String>,
        report: &BuildReport,
        handle: &tokio::runtime::Handle,
    ) {
        let keys = outcome.keys.clone();
        let Some(built) = self.name_build(outcome, options, consumed, report) else {
            return;
        };
        for target in &options.cache_to {
            report.text(&format!("Exporting cache to {}\n", target.name.familiar()));
            if let Err(error) = self.export_cache(target, &built, &keys, options, handle) {
                return report.fail(&format!("cannot export the cache: {error}"), None);
            }
        }
    }

    /// Gives a finished build its names and tells so; `None` when there is nothing to go on with.
    fn name_build(
        &self,
        outcome: Outcome,
        options: &BuildOptions,
        consumed: &BTreeSet<String>,
        report: &BuildReport,
    ) -> Option<Digest> {
        // Names change one at a time; this thread may wait for its turn.
        let _naming = self.naming.blocking_lock();
        if let Err(error) = self.keep_heads(&outcome) {
            tracing::warn!("images of a build have no name: {error}");
        }
        let built = match outcome.result {
            Ok(built) => built,
            Err(error) => {
                report.fail(&error.to_string(), error.code());
                return None;
            }
        };
        report.built(&built.id);
        report.steps(&outcome.keys);
        let named = (|| {
            if options.names.is_empty() {
                name_image(&self.store, None, &built.id, &built.manifest)?;
            }
            for name in &options.names {
                name_image(&self.store, Some(name), &built.id, &built.manifest)?;
            }
            Ok::<_, DaemonError>(Image::load(&self.store, &built.manifest)?)
        })();
        let image = match named {
            Ok(image) => image,
            Err(error) => {
                report.fail(&error.to_string(), None);
                return None;
            }
        };
        let unused: Vec<&str> = options
            .build_args
            .keys()
            .filter(|name| !consumed.contains(*name))
            .map(String::as_str)
            .collect();
        if !unused.is_empty() {
            report.text(&format!(
                "[Warning] One or more build-args [{}] were not consumed\n",
                unused.join(" ")
            ));
        }
        report.success(&built.id);
        for name in &options.names {
            report.tagged(&name.familiar());
            self.tell_image("tag", &built.id, &name.familiar(), &image);
        }
        Some(built.id)
    }

    /// Ends of stages and of a build that failed stay, without a name, until they are pruned.
    fn keep_heads(&self, outcome: &Outcome) -> Result<(), DaemonError> {
        let result = outcome.result.as_ref().ok().map(|built| &built.id);
        let parents: BTreeSet<_> = self
            .store
            .steps()
            .all()?
            .into_iter()
            .filter_map(|step| step.parent)
            .collect();
        for head in outcome
            .heads
            .iter()
            .filter(|head| Some(&head.id) != result && !parents.contains(&head.id))
        {
            name_image(&self.store, None, &head.id, &head.manifest)?;
        }
        let grown: Vec<TagsChange> = outcome
            .steps
            .iter()
            .filter_map(|step| step.parent.as_ref())
            .map(|parent| TagsChange::Remove(parent.to_string()))
            .collect();
        if !grown.is_empty() {
            let _lock = self.store.lock()?;
            self.store.tags().apply(grown)?;
        }
        Ok(())
    }
}

/// Arguments that some ARG asks for, and those that need none.
fn consumed(request: &build::Request) -> BTreeSet<String> {
    let stages = request
        .dockerfile
        .stages
        .iter()
        .flat_map(|stage| &stage.steps);
    let mut names: BTreeSet<String> = request
        .dockerfile
        .args
        .iter()
        .chain(stages)
        .filter_map(|step| match &step.instruction {
            dockerfile::Instruction::Arg(pairs) => Some(pairs),
            _ => None,
        })
        .flatten()
        .map(|(name, _)| name.clone())
        .collect();
    for name in [
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "FTP_PROXY",
        "NO_PROXY",
        "ALL_PROXY",
    ] {
        names.extend([name.to_owned(), name.to_ascii_lowercase()]);
    }
    names.extend([
        "SOURCE_DATE_EPOCH".to_owned(),
        "BUILDKIT_INLINE_CACHE".to_owned(),
    ]);
    names
}
