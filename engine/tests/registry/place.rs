//! A folder for one test, a registry in it, and engines that use it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser;
use engine::api::types::Progress;
use engine::daemon::{
    Config, Daemon, DaemonError, EngineArgs, ProgressSink, PullRequest, PushRequest,
};
use engine::registry::{Credentials, Settings};
use engine::registry_server::RegistryArgs;

/// Why tests that unpack layers cannot run here, if they cannot.
pub(crate) fn skip(test: &str) -> bool {
    let root = kernel::process::effective_uid() == 0;
    if !root {
        println!("SKIP {test}: layers are unpacked with their owners, which needs root");
        assert!(
            !std::env::var("KERNEL_TESTS").is_ok_and(|value| value == "required"),
            "KERNEL_TESTS=required"
        );
    }
    !root
}

/// A folder that goes with the test.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new() -> Self {
        let dir = PathBuf::from(format!(
            "/var/tmp/quai-registry-{:016x}",
            getrandom::u64().unwrap()
        ));
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    /// A folder that is there already.
    pub(crate) fn below(dir: &Path) -> Self {
        Self(dir.join("place"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Starts a registry of our own; more words may follow.
    pub(crate) async fn registry(&self, more: &[String]) -> SocketAddr {
        let data = self.path("registry").display().to_string();
        let words = ["registry", "--listen", "127.0.0.1:0", "--data", &data].map(str::to_owned);
        let args = RegistryArgs::parse_from(words.iter().chain(more));
        let (give, take) = tokio::sync::oneshot::channel();
        let mut give = Some(give);
        tokio::spawn(async move {
            let served = engine::registry_server::run(args, |address| {
                give.take().unwrap().send(address).unwrap();
            });
            served.await.unwrap();
        });
        take.await.unwrap()
    }

    /// Opens an engine with its own data.
    pub(crate) async fn engine(&self, name: &str) -> Engine {
        let config = self.write(&format!("{name}.json"), "{}");
        let path = |part: &str| self.path(&format!("{name}-{part}")).display().to_string();
        let args = EngineArgs::parse_from([
            "engine".to_owned(),
            format!("--config-file={}", config.display()),
            format!("--data-root={}", path("data")),
            format!("--exec-root={}", path("exec")),
            "--host=unix:///nowhere".to_owned(),
        ]);
        Engine(Daemon::open(Config::resolve(args).unwrap()).await.unwrap())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An engine without its socket.
pub(crate) struct Engine(pub(crate) Arc<Daemon>);

impl Engine {
    /// Makes an image of one layer.
    pub(crate) async fn import(&self, name: &str, files: &[(&str, &[u8])]) {
        let archive = archive(files);
        let (sink, _told) = ProgressSink::new();
        let name = engine::image::Reference::parse(name).unwrap();
        let archive = std::io::Cursor::new(archive);
        self.0
            .import(Some(name), Vec::new(), String::new(), archive, sink)
            .await
            .unwrap();
    }

    pub(crate) async fn push(
        &self,
        name: &str,
        credentials: Credentials,
    ) -> Result<Vec<Progress>, DaemonError> {
        let (repository, tag) = name.rsplit_once(':').unwrap();
        let request = PushRequest::parse(repository, Some(tag), credentials)?;
        let (sink, told) = ProgressSink::new();
        let pushed = self.0.push(request, sink);
        collect(pushed, told).await
    }

    pub(crate) async fn pull(
        &self,
        name: &str,
        credentials: Credentials,
    ) -> Result<Vec<Progress>, DaemonError> {
        let last = name.rsplit('/').next().unwrap();
        let (repository, tag) = match last.contains(':') {
            true => name
                .rsplit_once(':')
                .map(|(name, tag)| (name, Some(tag)))
                .unwrap(),
            false => (name, None),
        };
        let request = PullRequest::parse(repository, tag, None, credentials)?;
        let (sink, told) = ProgressSink::new();
        let pulled = self.0.pull(request, sink);
        collect(pulled, told).await
    }

    pub(crate) async fn id(&self, name: &str) -> String {
        self.0.inspect_image(name).await.unwrap().id
    }
}

async fn collect(
    work: impl Future<Output = Result<(), DaemonError>>,
    mut told: tokio::sync::mpsc::UnboundedReceiver<Progress>,
) -> Result<Vec<Progress>, DaemonError> {
    let listen = async {
        let mut all = Vec::new();
        while let Some(one) = told.recv().await {
            all.push(one);
        }
        all
    };
    let (done, all) = tokio::join!(work, listen);
    done.map(|()| all)
}

/// Whether a status was told.
pub(crate) fn told(all: &[Progress], status: &str) -> bool {
    all.iter().any(|one| one.status.as_deref() == Some(status))
}

/// A plain archive of files.
pub(crate) fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, *content).unwrap();
    }
    archive.into_inner().unwrap()
}

/// Settings whose `/etc` is below `root`; `host` may speak plain HTTP.
pub(crate) fn settings(root: &Path, host: &str) -> Settings {
    Settings::parse(&[], &[host.to_owned()], root.to_owned()).unwrap()
}

pub(crate) fn me() -> Credentials {
    Credentials {
        username: "me".into(),
        password: "secret".into(),
        ..Credentials::default()
    }
}
