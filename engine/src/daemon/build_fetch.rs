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

/// What an address stood for.
pub(super) enum RemoteContext {
    /// A repository or an archive.
    Files(Context),
    /// One file.
    Alone(Context),
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
        let mut settings = pinned(&url, &addresses);
        if url.scheme() == "https" {
            settings.extend(self.trusted(&url, into)?);
        }
        let git = Git {
            stage: &self.stage,
            settings,
            dir: into,
        };
        let wanted = match source.reference.as_str() {
            "" => "HEAD",
            reference => reference,
        };
        git.run(&["init", "--quiet"])?;
        git.run(&["remote", "add", "origin", "--", url.as_str()])?;
        git.check_out(wanted)?;
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

    /// The words that make git trust whom ADD trusts; the authorities lie beside the clone.
    fn trusted(&self, url: &Url, clone: &Path) -> Result<[String; 2], BuildError> {
        let host = registry::host_and_port(url);
        let known = registry::authorities(&root_of(&self.stage), &host).map_err(failed)?;
        if known.is_empty() {
            return Err(failed(format!(
                "git repository {url}: no certificate authority is known here (package ca-certificates)"
            )));
        }
        let path = clone.with_extension("authorities");
        std::fs::write(&path, known).map_err(BuildError::io("write", &path))?;
        Ok([
            "-c".to_owned(),
            format!("http.sslCAInfo={}", path.display()),
        ])
    }

    /// The context that an address stands for: a repository, an archive, or one file, which is called `alone` or has
    /// the name it comes with.
    pub(super) fn remote_context(
        &self,
        address: &str,
        alone: Option<&str>,
        scratch: &Path,
    ) -> Result<RemoteContext, DaemonError> {
        if let Some(source) = GitSource::parse(address) {
            let context = self.git_context(&source, scratch)?;
            return Ok(RemoteContext::Files(context));
        }
        let path = scratch.join("remote");
        let fetched = self.fetch_file(address, &path)?;
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
            let context = Context::read(super::files::plain(file)?, scratch)?;
            return Ok(RemoteContext::Files(context));
        }
        let bytes = std::fs::read(&path).map_err(DaemonError::io("read the remote context"))?;
        let mut context = Context::empty(scratch)?;
        let name = alone.unwrap_or(&fetched.name);
        if name.is_empty() {
            let message = format!("cannot determine filename from url: {address}");
            return Err(failed(message).into());
        }
        context.add_file(name, &bytes)?;
        Ok(RemoteContext::Alone(context))
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
    /// Words before the command.
    settings: Vec<String>,
    dir: &'a Path,
}

impl Git<'_> {
    /// Fetches as little as the server gives, and checks it out.
    fn check_out(&self, wanted: &str) -> Result<(), BuildError> {
        let fetched = ["checkout", "--quiet", "--detach", "FETCH_HEAD"];
        let Err(why) = self.run(&["fetch", "--quiet", "--depth", "1", "origin", "--", wanted])
        else {
            return self.run(&fetched);
        };
        // Files behind a server that knows nothing of git are a repository too, but only as a whole.
        let whole = self.run(&["fetch", "--quiet", "origin", "--", wanted]);
        if whole.is_ok() {
            return self.run(&fetched);
        }
        // A server may refuse to name a commit that is no branch's or tag's end, and give it with the others.
        let named = wanted != "HEAD"
            && self.run(&["fetch", "--quiet", "--tags", "origin"]).is_ok()
            && self
                .run(&["checkout", "--quiet", "--detach", wanted, "--"])
                .is_ok();
        if named { Ok(()) } else { Err(why) }
    }

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
            .args(&self.settings)
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
