//! `docker cp`: files between a container and this machine, as tar archives.

use std::io::{self, Read, Write, stdin, stdout};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use hyper::Method;
use serde_json::Value;

use crate::cli::client::Payload;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::path::Query;
use crate::cli::{Session, download, tty, upload};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["container cp", "cp"],
    about: "Copy files/folders between a container and the local filesystem",
    synopsis: "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\
               \tdocker cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
    flags: &[OPTIONS],
    operands: Operands::Exactly(2),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OPTIONS: &[Flag] = &[
    Flag::switch("archive", "Keep the owners' numeric ids").short('a'),
    Flag::switch("follow-link", "Copy what a link of the source names").short('L'),
    Flag::switch("quiet", "Say nothing about progress").short('q'),
];

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let (source, target) = (&matches.operands[0], &matches.operands[1]);
    match (place(source), place(target)) {
        (Some((name, path)), None) => from_container(session, matches, name, path, target).await,
        (None, Some((name, path))) => to_container(session, matches, source, name, path).await,
        (Some(_), Some(_)) => Err(CliError::Said(
            "copying between containers is not supported".to_owned(),
        )),
        (None, None) => Err(CliError::Said(
            "must specify at least one container source".to_owned(),
        )),
    }?;
    Ok(0)
}

/// `NAME:PATH`; a path of this machine that holds a colon begins with `/` or `.`.
fn place(word: &str) -> Option<(&str, &str)> {
    if word.starts_with(['/', '.']) {
        return None;
    }
    word.split_once(':').filter(|(name, _)| !name.contains('/'))
}

async fn from_container(
    session: &Session,
    matches: &Matches,
    name: &str,
    path: &str,
    target: &str,
) -> Result<(), CliError> {
    let mut path = path.to_owned();
    if matches.on("follow-link")
        && let Some(stat) = stat(session, name, &path).await?
        && let Some(link) = stat["linkTarget"].as_str().filter(|link| !link.is_empty())
    {
        let folder = Path::new(&path).parent().unwrap_or(Path::new("/"));
        path = folder.join(link).display().to_string();
    }
    let query = Query::new(&["containers", name, "archive"]).with("path", &path);
    let response = session
        .client
        .send(Method::GET, &query, Payload::Empty)
        .await?;
    if target == "-" {
        if tty::has_output() {
            return Err(CliError::Said(
                "cowardly refusing to write an archive to a terminal".into(),
            ));
        }
        let write = |bytes: &[u8]| stdout().write_all(bytes).map_err(CliError::Output);
        return download::copy(&query, response, write).await;
    }
    let owners = if matches.on("archive") {
        Owners::Keep
    } else {
        Owners::Ours
    };
    let target = target.to_owned();
    download::feed(&query, response, move |mut archive| {
        unpack(&mut archive, &path, &target, owners)?;
        // What pads its end.
        let _ = std::io::copy(&mut archive, &mut std::io::sink());
        Ok(())
    })
    .await
}

/// Whose the copied files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owners {
    /// Those of the container, by number.
    Keep,
    /// This user's.
    Ours,
}

/// Unpacks an archive whose entries all lie under the source's last name.
fn unpack(
    archive: &mut impl Read,
    source: &str,
    target: &str,
    owners: Owners,
) -> Result<(), CliError> {
    let failed = |source| CliError::File {
        what: "write",
        path: target.to_owned(),
        source,
    };
    let contents = source.ends_with("/.") || source == ".";
    let target_path = Path::new(target);
    if target.ends_with('/') && !target_path.is_dir() {
        return Err(CliError::Said(format!(
            "invalid output path: directory {target:?} does not exist"
        )));
    }
    let exists = target_path.is_dir();
    let base = if exists {
        Some(target_path)
    } else {
        target_path.parent()
    };
    let base = base
        .filter(|base| !base.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let base = base.canonicalize().map_err(|_| {
        let whole = std::path::absolute(base).unwrap_or_else(|_| base.to_owned());
        CliError::Said(format!(
            "invalid output path: directory {:?} does not exist",
            whole.display().to_string()
        ))
    })?;
    let mut archive = tar::Archive::new(archive);
    archive.set_preserve_permissions(true);
    archive.set_preserve_ownerships(owners == Owners::Keep);
    for entry in archive.entries().map_err(failed)? {
        let mut entry = entry.map_err(failed)?;
        let path = entry.path().map_err(failed)?.into_owned();
        if entry.header().entry_type().is_dir() && target_path.is_file() {
            return Err(CliError::Said("cannot copy directory".to_owned()));
        }
        let inside: PathBuf = path.components().skip(1).collect();
        let to = match (exists, contents, inside.as_os_str().is_empty()) {
            (true, true, true) => continue,
            (false, _, true) => target_path.to_owned(),
            (true, false, _) => target_path.join(&path),
            _ => target_path.join(&inside),
        };
        // The archive is the container's word: no entry may leave the folder, not even through
        // a link that an entry before it made.
        let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent
            .unwrap_or(Path::new("."))
            .canonicalize()
            .map_err(failed)?;
        let climbs = path
            .components()
            .any(|part| part == std::path::Component::ParentDir);
        if climbs || !parent.starts_with(&base) {
            return Err(CliError::Said(format!(
                "the container's archive leaves its folder: {}",
                path.display()
            )));
        }
        entry.unpack(&to).map_err(failed)?;
    }
    Ok(())
}

async fn to_container(
    session: &Session,
    matches: &Matches,
    source: &str,
    name: &str,
    path: &str,
) -> Result<(), CliError> {
    let put = |folder: &str| {
        Query::new(&["containers", name, "archive"])
            .with("path", folder)
            .with("noOverwriteDirNonDir", "true")
            .with_switch("copyUIDGID", matches.on("archive"))
    };
    const KIND: &str = "application/x-tar";
    if source == "-" {
        let pieces = upload::pieces(stdin());
        session
            .client
            .send_stream(Method::PUT, &put(path), KIND, pieces)
            .await?;
    } else {
        let whole = std::path::absolute(source).unwrap_or_else(|_| source.into());
        std::fs::symlink_metadata(&whole).map_err(|error| CliError::File {
            what: "lstat",
            path: whole.display().to_string(),
            source: error,
        })?;
        let there = stat(session, name, path).await?;
        let directory = there.as_ref().is_some_and(is_folder);
        if there.is_some() && !directory && Path::new(source).is_dir() {
            return Err(CliError::Said("cannot copy directory".to_owned()));
        }
        let (into, rename) = split_target(source, path, directory)?;
        let (source, follow) = (source.to_owned(), matches.on("follow-link"));
        let pieces = upload::written(move |out| pack(&source, &rename, follow, out));
        session
            .client
            .send_stream(Method::PUT, &put(&into), KIND, pieces)
            .await?;
    }
    Ok(())
}

/// In which folder of the container to unpack, and under which name the source goes there.
fn split_target(
    source: &str,
    path: &str,
    target_is_folder: bool,
) -> Result<(String, PathBuf), CliError> {
    let contents = source.ends_with("/.") || source == ".";
    if target_is_folder {
        let name = if contents {
            PathBuf::from(".")
        } else {
            last_name(source)?
        };
        return Ok((path.to_owned(), name));
    }
    if path.ends_with('/') && !Path::new(source).is_dir() {
        return Err(CliError::Said("no such directory".to_owned()));
    }
    let target = Path::new(path.trim_end_matches('/'));
    let folder = target
        .parent()
        .unwrap_or(Path::new("/"))
        .display()
        .to_string();
    let folder = if folder.is_empty() {
        "/".to_owned()
    } else {
        folder
    };
    let name = target.file_name().map(PathBuf::from);
    Ok((folder, name.unwrap_or_else(|| PathBuf::from("."))))
}

fn last_name(source: &str) -> Result<PathBuf, CliError> {
    let failed = |error| CliError::File {
        what: "find",
        path: source.to_owned(),
        source: error,
    };
    let whole = std::path::absolute(source).map_err(failed)?;
    Ok(whole
        .file_name()
        .map_or_else(|| PathBuf::from("."), PathBuf::from))
}

fn pack(source: &str, name: &Path, follow: bool, out: &mut dyn Write) -> io::Result<()> {
    let mut archive = tar::Builder::new(out);
    archive.follow_symlinks(follow);
    let metadata = std::fs::symlink_metadata(source)?;
    let is_folder = if follow {
        Path::new(source).is_dir()
    } else {
        metadata.is_dir()
    };
    if is_folder {
        archive.append_dir_all(name, source)?;
    } else {
        archive.append_path_with_name(source, name)?;
    }
    archive.finish()
}

/// What the container has at `path`, from the answer's header; `None` when nothing is there.
async fn stat(session: &Session, name: &str, path: &str) -> Result<Option<Value>, CliError> {
    let query = Query::new(&["containers", name, "archive"]).with("path", path);
    let response = match session
        .client
        .send(Method::HEAD, &query, Payload::Empty)
        .await
    {
        Ok(response) => response,
        // The answer to HEAD has no body, so the container is asked for to tell the two apart.
        Err(error) if error.is_not_found() => {
            session
                .client
                .get(&Query::new(&["containers", name, "json"]))
                .await?;
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let header = response.headers().get("x-docker-container-path-stat");
    let decoded = header.and_then(|header| {
        base64::engine::general_purpose::STANDARD
            .decode(header.as_bytes())
            .ok()
    });
    Ok(decoded.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// Whether a stat's mode has Go's bit for directories.
fn is_folder(stat: &Value) -> bool {
    stat["mode"]
        .as_u64()
        .is_some_and(|mode| mode & (1 << 31) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_container_has_a_name() {
        assert_eq!(place("web:/etc"), Some(("web", "/etc")));
        assert_eq!(place("./a:b"), None);
        assert_eq!(place("/a:b"), None);
        assert_eq!(place("file"), None);
    }

    #[test]
    fn an_archive_cannot_leave_its_folder() {
        let folder = std::env::temp_dir().join(format!("quai-cp-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("in")).unwrap();
        let mut archive = tar::Builder::new(Vec::new());
        let mut link = tar::Header::new_gnu();
        link.set_entry_type(tar::EntryType::Symlink);
        link.set_size(0);
        archive.append_link(&mut link, "d/out", "../..").unwrap();
        let mut file = tar::Header::new_gnu();
        file.set_size(1);
        file.set_mode(0o644);
        archive
            .append_data(&mut file, "d/out/escaped", &b"x"[..])
            .unwrap();
        let archive = archive.into_inner().unwrap();
        let target = folder.join("in").display().to_string();
        std::fs::create_dir_all(folder.join("in/d")).unwrap();
        let error = unpack(&mut archive.as_slice(), "/d", &target, Owners::Ours).unwrap_err();
        assert!(error.to_string().contains("leaves its folder"), "{error}");
        assert!(!folder.join("escaped").exists());
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn where_a_source_goes() {
        let split = |source, path, folder| {
            let (into, name) = split_target(source, path, folder).unwrap();
            (into, name.display().to_string())
        };
        assert_eq!(split("/x/a", "/data", true), ("/data".into(), "a".into()));
        assert_eq!(
            split("/x/a", "/data/b", false),
            ("/data".into(), "b".into())
        );
        assert_eq!(split("/x/.", "/data", true), ("/data".into(), ".".into()));
        assert_eq!(split("/x/a", "/b", false), ("/".into(), "b".into()));
    }
}
