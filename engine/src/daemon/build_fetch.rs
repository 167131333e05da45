//! What ADD and a remote context fetch: in the network of the stage, never in that of the platform.

use std::io::{Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use reqwest::Url;

use crate::build::{BuildError, Context, Fetched};
use crate::registry::{self, FetchPolicy};
use crate::stage::Stage;
use crate::store::{Packed, pack};

use super::{Daemon, DaemonError, root_of};

/// A git repository, and what of it is meant: `URL#REF:DIRECTORY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GitSource {
    url: String,
    reference: String,
    below: String,
}

impl GitSource {
    /// Reads an address; `None` when it is no repository's.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (url, fragment) = text.split_once('#').unwrap_or((text, ""));
        let (reference, below) = fragment.split_once(':').unwrap_or((fragment, ""));
        let web = url.starts_with("http://") || url.starts_with("https://");
        let is_git = (web && url.trim_end_matches('/').ends_with(".git"))
            || ["git://", "git@", "ssh://", "github.com/"]
                .iter()
                .any(|start| url.starts_with(start));
        let url = match url.starts_with("github.com/") {
            true => format!("https://{url}"),
            false => url.to_owned(),
        };
        is_git.then(|| Self {
            url,
            reference: reference.to_owned(),
            below: below.trim_matches('/').to_owned(),
        })
    }
}

fn failed(message: impl ToString) -> BuildError {
    BuildError::Fetch {
        instruction: "ADD",
        message: message.to_string(),
    }
}

impl Daemon {
    /// From where builds may fetch.
    fn fetch_policy(&self) -> FetchPolicy {
        FetchPolicy {
            own_network: self.stage != Stage::Host,
            allowed: self.config.allow_private_fetch.clone(),
        }
    }

    /// Fetches an address into a file. Blocking.
    pub(super) fn fetch_file(&self, url: &str, into: &Path) -> Result<Fetched, BuildError> {
        let (policy, root) = (self.fetch_policy(), root_of(&self.stage));
        let fetched = self.in_network(async || registry::fetch(&root, &policy, url, into).await)?;
        let fetched = fetched.map_err(failed)?;
        Ok(Fetched {
            name: fetched.name,
            modified: fetched.modified,
        })
    }

    /// Runs asynchronous work on a thread in the network of the stage.
    fn in_network<T: Send>(&self, work: impl AsyncFnOnce() -> T + Send) -> Result<T, BuildError> {
        let host = |error: &dyn std::fmt::Display| BuildError::Host(error.to_string());
        let run = || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            Ok(runtime.map(|runtime| {
                let done = runtime.block_on(work());
                runtime.shutdown_background();
                done
            }))
        };
        crate::network::in_stage(&self.stage, run)
            .map_err(|error| host(&error))?
            .map_err(|error| host(&error))
    }

    /// Checks out a repository into an empty folder with git(1); gives the directory that is meant. Blocking.
    pub(super) fn fetch_git(&self, source: &GitSource, into: &Path) -> Result<PathBuf, BuildError> {
        let refused = |why: &str| failed(format!("git repository {}: {why}", source.url));
        let mut url = Url::parse(&source.url)
            .map_err(|_| refused("only http://, https:// and git:// are spoken here"))?;
        if !matches!(url.scheme(), "http" | "https" | "git") || !url.username().is_empty() {
            return Err(refused(
                "only http://, https:// and git:// without a name are spoken here",
            ));
        }
        if source.reference.starts_with('-') {
            return Err(refused("invalid reference"));
        }
        let (policy, root) = (self.fetch_policy(), root_of(&self.stage));
        let addresses = self.in_network(async || policy.addresses(&root, &url).await)?;
        let addresses = addresses.map_err(failed)?;
        if url.scheme() == "git"
            && let Some(address) = addresses.first()
        {
            // git(1) would look the name up again, and might be told another address.
            url.set_ip_host(*address)
                .map_err(|()| refused("its address cannot be written into it"))?;
        }
        let git = Git {
            stage: &self.stage,
            pinned: pinned(&url, &addresses),
            dir: into,
        };
        let wanted = match source.reference.as_str() {
            "" => "HEAD",
            reference => reference,
        };
        git.run(&["init", "--quiet"])?;
        git.run(&["remote", "add", "origin", "--", url.as_str()])?;
        let shallow = git.run(&["fetch", "--quiet", "--depth", "1", "origin", "--", wanted]);
        match shallow {
            Ok(()) => git.run(&["checkout", "--quiet", "--detach", "FETCH_HEAD"])?,
            // A server may refuse to give a commit that is no branch's or tag's end.
            Err(_) if !source.reference.is_empty() => {
                git.run(&["fetch", "--quiet", "--tags", "origin"])?;
                git.run(&["checkout", "--quiet", "--detach", wanted, "--"])?;
            }
            Err(error) => return Err(error),
        }
        let top = into
            .canonicalize()
            .map_err(|error| refused(&error.to_string()))?;
        let below = top.join(&source.below).canonicalize();
        let below = below.map_err(|_| refused(&format!("it has no directory {}", source.below)))?;
        if !below.starts_with(&top) || !below.is_dir() {
            return Err(refused(&format!("{} is no directory of it", source.below)));
        }
        Ok(below)
    }

    /// The context that an address stands for: a repository, an archive, or a Dockerfile alone.
    pub(super) fn remote_context(
        &self,
        address: &str,
        dockerfile: &mut String,
        scratch: &Path,
    ) -> Result<Context, DaemonError> {
        if let Some(source) = GitSource::parse(address) {
            return self.git_context(&source, scratch);
        }
        let path = scratch.join("remote");
        self.fetch_file(address, &path)?;
        let mut file =
            std::fs::File::open(&path).map_err(DaemonError::io("open the remote context"))?;
        let mut start = Vec::new();
        (&mut file)
            .take(512)
            .read_to_end(&mut start)
            .and_then(|_| file.seek(SeekFrom::Start(0)))
            .map_err(DaemonError::io("read the remote context"))?;
        let is_archive = matches!(
            start.as_slice(),
            [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] | [b'B', b'Z', b'h', ..]
        ) || start.get(257..262) == Some(b"ustar");
        if is_archive {
            return Ok(Context::read(super::files::plain(file)?, scratch)?);
        }
        let bytes = std::fs::read(&path).map_err(DaemonError::io("read the remote context"))?;
        let mut context = Context::empty(scratch)?;
        "Dockerfile".clone_into(dockerfile);
        context.add_file("Dockerfile", &bytes)?;
        Ok(context)
    }

    fn git_context(&self, source: &GitSource, scratch: &Path) -> Result<Context, DaemonError> {
        let clone = scratch.join("git");
        std::fs::create_dir(&clone).map_err(DaemonError::io("make a folder for a clone"))?;
        let below = self.fetch_git(source, &clone)?;
        let _ = std::fs::remove_dir_all(clone.join(".git"));
        let dir = std::fs::File::open(&below).map_err(DaemonError::io("open a clone"))?;
        let path = scratch.join("git.tar");
        let mut file = std::fs::File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(DaemonError::io("pack a clone"))?;
        pack(dir.as_fd(), Packed::Plain, &mut file).map_err(BuildError::from)?;
        file.seek(SeekFrom::Start(0))
            .map_err(DaemonError::io("pack a clone"))?;
        Ok(Context::read(file, scratch)?)
    }
}

/// The words that make git connect to the addresses that were looked at.
fn pinned(url: &Url, addresses: &[std::net::IpAddr]) -> Vec<String> {
    let host = url.host_str().unwrap_or_default();
    let Some(port) = url
        .port_or_known_default()
        .filter(|_| url.scheme() != "git")
    else {
        return Vec::new();
    };
    let list: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let mut words = vec!["-c".to_owned(), "http.followRedirects=false".to_owned()];
    if host
        .trim_matches(['[', ']'])
        .parse::<std::net::IpAddr>()
        .is_err()
    {
        let pin = format!("http.curloptResolve={host}:{port}:{}", list.join(","));
        words.extend(["-c".to_owned(), pin]);
    }
    words
}

/// git(1) in the network of the stage, with nobody's settings.
struct Git<'a> {
    stage: &'a Stage,
    pinned: Vec<String>,
    dir: &'a Path,
}

impl Git<'_> {
    fn run(&self, words: &[&str]) -> Result<(), BuildError> {
        let mut command = Command::new("git");
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ALLOW_PROTOCOL", "http:https:git")
            .args(&self.pinned)
            .args(words)
            .current_dir(self.dir)
            .stdin(Stdio::null());
        let work = || Ok(command.output());
        let output = crate::network::in_stage(self.stage, work)
            .map_err(|error| BuildError::Host(error.to_string()))?;
        let output = output.map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => failed(
                "a git repository: the program git is not installed where the engine runs; clone it and use COPY",
            ),
            _ => failed(format!("cannot execute git: {error}")),
        })?;
        if output.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&output.stderr);
        Err(failed(format!("git {}: {}", words[0], text.trim())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_repositories_are_told_apart() {
        let parse = |text: &str| {
            GitSource::parse(text).map(|source| (source.url, source.reference, source.below))
        };
        let found = |url: &str, reference: &str, below: &str| {
            Some((url.to_owned(), reference.to_owned(), below.to_owned()))
        };
        assert_eq!(
            parse("https://h/r.git#v1:/docs/"),
            found("https://h/r.git", "v1", "docs")
        );
        assert_eq!(parse("git://h/r"), found("git://h/r", "", ""));
        assert_eq!(
            parse("github.com/a/b#:d"),
            found("https://github.com/a/b", "", "d")
        );
        assert_eq!(parse("https://h/r.tar"), None);
    }

    #[test]
    fn git_connects_to_the_address_that_was_looked_at() {
        let url = Url::parse("https://h/r.git").unwrap();
        let words = pinned(&url, &["93.184.216.34".parse().unwrap()]);
        assert_eq!(words[3], "http.curloptResolve=h:443:93.184.216.34");
        assert!(pinned(&Url::parse("git://h/r").unwrap(), &[]).is_empty());
    }
}
