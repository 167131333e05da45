//! Where the context comes from: a directory, standard input, a git repository, an address.

use std::io::{self, Cursor, Read, stdin};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cli::error::CliError;
use crate::dockerfile::Ignore;

use super::address;
use super::context::Packed;

/// Bytes that tell an archive from a Dockerfile.
const START: usize = 512;

/// What is sent.
pub(crate) enum Source {
    /// An archive, written while it is sent.
    Packed(Packed),
    /// An archive that comes from somewhere else.
    Stream(Box<dyn Read + Send>),
}

/// A context with what goes with it.
pub(crate) struct Resolved {
    pub(crate) source: Source,
    /// Path of the Dockerfile in it.
    pub(crate) dockerfile: String,
    /// The text of the Dockerfile, when the client can see it.
    pub(crate) text: Option<Vec<u8>>,
    /// A clone that goes with the value.
    pub(crate) checkout: Option<Checkout>,
}

/// A temporary folder.
pub(crate) struct Checkout(PathBuf);

impl Drop for Checkout {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Reads the operand and `--file`.
pub(crate) async fn resolve(operand: &str, file: Option<&str>) -> Result<Resolved, CliError> {
    if operand == "-" {
        if file == Some("-") {
            return Err(CliError::Said(
                "invalid argument: can't use stdin for both build context and dockerfile".into(),
            ));
        }
        return from_reader(stdin(), file);
    }
    if is_git(operand) {
        return from_git(operand, file);
    }
    if operand.starts_with("http://") || operand.starts_with("https://") {
        return from_reader(address::fetch(operand).await?, file);
    }
    from_dir(Path::new(operand), file)
}

/// Whether an operand is the address of a git repository.
pub(super) fn is_git(operand: &str) -> bool {
    let path = operand.split_once('#').map_or(operand, |(path, _)| path);
    let web = operand.starts_with("http://") || operand.starts_with("https://");
    (web && path.ends_with(".git"))
        || ["git://", "git@", "ssh://", "github.com/"]
            .iter()
            .any(|start| operand.starts_with(start))
}

/// What arrives as one piece: an archive, or a Dockerfile alone.
fn from_reader(
    mut input: impl Read + Send + 'static,
    file: Option<&str>,
) -> Result<Resolved, CliError> {
    let failed = |source| CliError::Stream {
        doing: "read the context",
        source,
    };
    let mut start = Vec::new();
    input
        .by_ref()
        .take(START as u64)
        .read_to_end(&mut start)
        .map_err(failed)?;
    let is_archive = matches!(
        start.as_slice(),
        [0x1f, 0x8b, ..]
            | [0x28, 0xb5, 0x2f, 0xfd, ..]
            | [b'B', b'Z', b'h', ..]
            | [0xfd, b'7', b'z', b'X', b'Z', 0, ..]
    ) || start.get(257..262) == Some(b"ustar");
    if is_archive {
        return Ok(Resolved {
            source: Source::Stream(Box::new(Cursor::new(start).chain(input))),
            dockerfile: file.unwrap_or("Dockerfile").to_owned(),
            text: None,
            checkout: None,
        });
    }
    let mut text = start;
    input.read_to_end(&mut text).map_err(failed)?;
    Ok(Resolved {
        source: Source::Packed(Packed {
            extra: vec![("Dockerfile".into(), text.clone())],
            ..Packed::default()
        }),
        dockerfile: "Dockerfile".into(),
        text: Some(text),
        checkout: None,
    })
}

fn from_dir(dir: &Path, file: Option<&str>) -> Result<Resolved, CliError> {
    if !dir.is_dir() {
        return Err(CliError::Said(format!(
            "unable to prepare context: path \"{}\" not found",
            dir.display()
        )));
    }
    let dir = dir.canonicalize().map_err(|source| CliError::File {
        what: "open",
        path: dir.display().to_string(),
        source,
    })?;
    let mut extra = Vec::new();
    let (name, text) = match file {
        Some("-") => {
            let mut text = Vec::new();
            stdin()
                .read_to_end(&mut text)
                .map_err(|source| CliError::Stream {
                    doing: "read the Dockerfile from stdin",
                    source,
                })?;
            (outside(&mut extra, &text), text)
        }
        file => {
            let path = file.map_or_else(|| default_file(&dir), PathBuf::from);
            let text = read(&path)?;
            let real = path.canonicalize().unwrap_or_else(|_| path.clone());
            match real.strip_prefix(&dir) {
                Ok(inside) => (inside.display().to_string(), text),
                Err(_) => (outside(&mut extra, &text), text),
            }
        }
    };
    let ignore_file = match dir.join(format!("{name}.dockerignore")) {
        own if own.is_file() => own,
        _ => dir.join(".dockerignore"),
    };
    let ignore = match std::fs::read(&ignore_file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ignore::default(),
        bytes => {
            let bytes = bytes.map_err(|source| CliError::File {
                what: "open",
                path: ignore_file.display().to_string(),
                source,
            })?;
            Ignore::parse(&bytes).map_err(|error| CliError::Said(error.to_string()))?
        }
    };
    let always = vec![
        name.clone(),
        ".dockerignore".into(),
        format!("{name}.dockerignore"),
    ];
    Ok(Resolved {
        source: Source::Packed(Packed {
            dir,
            ignore,
            always,
            extra,
            ..Packed::default()
        }),
        dockerfile: name,
        text: Some(text),
        checkout: None,
    })
}

fn default_file(dir: &Path) -> PathBuf {
    let lower = dir.join("dockerfile");
    let upper = dir.join("Dockerfile");
    if !upper.exists() && lower.exists() {
        lower
    } else {
        upper
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => CliError::Said(format!(
            "unable to prepare context: unable to evaluate symlinks in Dockerfile path: lstat {}: no such file or directory",
            path.display()
        )),
        _ => CliError::File { what: "open", path: path.display().to_string(), source },
    })
}

/// Sends a Dockerfile that is not in the context under a name nobody uses.
fn outside(extra: &mut Vec<(String, Vec<u8>)>, text: &[u8]) -> String {
    let name = format!(
        ".dockerfile.{:016x}",
        getrandom::u64().expect("the kernel has random numbers")
    );
    extra.push((name.clone(), text.to_vec()));
    name
}

fn from_git(operand: &str, file: Option<&str>) -> Result<Resolved, CliError> {
    let Repository {
        dir,
        ignore,
        checkout,
    } = from_git_repository(operand)?;
    let file = file.map(|file| dir.join(file).display().to_string());
    let mut resolved = from_dir(&dir, file.as_deref())?;
    if let Source::Packed(packed) = &mut resolved.source
        && packed.ignore.is_empty()
    {
        packed.ignore = ignore;
    }
    resolved.checkout = checkout;
    Ok(resolved)
}

/// A clone, and the directory of it that is meant.
pub(super) struct Repository {
    pub(super) dir: PathBuf,
    /// Git's own files.
    pub(super) ignore: Ignore,
    pub(super) checkout: Option<Checkout>,
}

/// `URL#ref:directory`, cloned by git(1) with the rights of this client.
pub(super) fn from_git_repository(operand: &str) -> Result<Repository, CliError> {
    let (url, fragment) = operand.split_once('#').unwrap_or((operand, ""));
    let (reference, below) = fragment.split_once(':').unwrap_or((fragment, ""));
    let url = if url.starts_with("github.com/") {
        format!("https://{url}")
    } else {
        url.to_owned()
    };
    let folder = std::env::temp_dir().join(format!(
        "docker-build-git-{:016x}",
        getrandom::u64().expect("the kernel has random numbers")
    ));
    let clone = Checkout(folder.clone());
    let git = |words: &[&str]| -> Result<(), CliError> {
        let output = Command::new("git")
            .args(words)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ALLOW_PROTOCOL", "http:https:git:ssh")
            .output()
            .map_err(|source| CliError::File {
                what: "execute",
                path: "git".into(),
                source,
            })?;
        if output.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&output.stderr);
        Err(CliError::Said(format!(
            "unable to prepare context: unable to 'git clone' to temporary context directory: {}",
            text.trim()
        )))
    };
    if url.starts_with('-') || reference.starts_with('-') {
        return Err(CliError::Said(format!(
            "unable to prepare context: invalid git address {operand}"
        )));
    }
    let path = folder.display().to_string();
    if reference.is_empty() {
        let clone = |depth: &[&str]| {
            let words = ["clone", "--quiet", "--recurse-submodules"];
            git(&[&words[..], depth, &["--", &url, &path]].concat())
        };
        // Files behind a server that knows nothing of git are a repository too, but only as a whole.
        if clone(&["--depth", "1"]).is_err() {
            clone(&[])?;
        }
    } else {
        git(&["clone", "--quiet", "--no-checkout", "--", &url, &path])?;
        git(&["-C", &path, "checkout", "--quiet", reference])?;
    }
    let dir = folder.join(below.trim_start_matches('/'));
    let real = dir.canonicalize().map_err(|source| CliError::File {
        what: "open",
        path: below.to_owned(),
        source,
    })?;
    let root = folder.canonicalize().map_err(|source| CliError::File {
        what: "open",
        path,
        source,
    })?;
    if !real.starts_with(&root) {
        return Err(CliError::Said(format!(
            "unable to prepare context: {below} leads out of the repository"
        )));
    }
    let git = if below.is_empty() {
        vec![".git"]
    } else {
        Vec::new()
    };
    Ok(Repository {
        dir: real,
        ignore: Ignore::of_patterns(git).expect("a literal name is a pattern"),
        checkout: Some(clone),
    })
}
