//! `--build-context NAME=…`: what else COPY, FROM and mounts may name.
//!
//! Directories (and what git has fetched) travel in the archive of the context, below a folder that nobody uses; the
//! images of an OCI layout are loaded first; addresses and images are the daemon's business.

use std::path::{Path, PathBuf};

use hyper::Method;
use serde_json::{Map, Value, json};

use crate::cli::error::CliError;
use crate::cli::messages::Messages;
use crate::cli::path::Query;
use crate::cli::{Session, upload};
use crate::dockerfile::Ignore;

use super::context::Packed;
use super::source::{self, Checkout, Source};

/// Where such directories lie in the archive.
const FOLDER: &str = ".quai-contexts";

/// Directories that travel with the context.
#[derive(Default)]
pub(crate) struct Attached {
    folders: Vec<Packed>,
    /// Clones that go when all is sent.
    checkouts: Vec<Checkout>,
}

impl Attached {
    /// Takes a directory along; gives how the daemon knows it.
    pub(crate) fn add(&mut self, dir: PathBuf, ignore: Ignore) -> String {
        let number = self.folders.len();
        self.folders.push(Packed {
            dir,
            ignore,
            prefix: Path::new(FOLDER).join(number.to_string()),
            ..Packed::default()
        });
        format!("folder:{number}")
    }

    /// Puts the directories into the archive of a context.
    pub(crate) fn to(&mut self, source: Source) -> Result<Source, CliError> {
        let others = std::mem::take(&mut self.folders);
        if others.is_empty() {
            return Ok(source);
        }
        match source {
            Source::Packed(packed) => Ok(Source::Packed(Packed { others, ..packed })),
            Source::Stream(_) => Err(CliError::Said(
                "a context that is an archive already takes no other directory along: unpack it, or name a directory".into(),
            )),
        }
    }
}

/// Reads the options; gives the parameter of the request.
pub(crate) async fn resolve(
    session: &Session,
    options: &[String],
    attached: &mut Attached,
) -> Result<Map<String, Value>, CliError> {
    let mut contexts = Map::new();
    for text in options {
        let bad = || CliError::Said(format!("invalid context value: {text}, expected key=value"));
        let (name, value) = text.split_once('=').ok_or_else(bad)?;
        if name.is_empty() || value.is_empty() {
            return Err(bad());
        }
        let known = if value.starts_with("docker-image://") {
            value.to_owned()
        } else if let Some(layout) = value.strip_prefix("oci-layout://") {
            load(session, layout).await?
        } else if source::is_git(value) {
            let mut clone = source::from_git_repository(value)?;
            attached.checkouts.extend(clone.checkout.take());
            attached.add(clone.dir, clone.ignore)
        } else if value.starts_with("http://") || value.starts_with("https://") {
            value.to_owned()
        } else {
            let dir = Path::new(value);
            if !dir.is_dir() {
                return Err(CliError::Said(format!(
                    "ERROR: failed to get build context {name}: stat {value}: no such directory"
                )));
            }
            attached.add(dir.to_owned(), Ignore::default())
        };
        contexts.insert(name.to_owned(), known.into());
    }
    Ok(contexts)
}

/// Loads one image of an OCI layout (`DIR`, `DIR:TAG`, `DIR@DIGEST`); gives its id as a context.
async fn load(session: &Session, layout: &str) -> Result<String, CliError> {
    let (dir, wanted) = split(layout);
    let failed = |why: &str| CliError::Said(format!("oci-layout://{layout}: {why}"));
    let file = |path: &Path, source| CliError::File {
        what: "open",
        path: path.display().to_string(),
        source,
    };
    let index_path = dir.join("index.json");
    let bytes = std::fs::read(&index_path).map_err(|source| file(&index_path, source))?;
    let index: Value =
        serde_json::from_slice(&bytes).map_err(|error| failed(&format!("index.json: {error}")))?;
    let entries = index["manifests"].as_array().into_iter().flatten();
    let mut fitting = entries.filter(|entry| match wanted {
        Wanted::Any => true,
        Wanted::Tag(tag) => entry["annotations"]["org.opencontainers.image.ref.name"] == tag,
        Wanted::Digest(digest) => entry["digest"] == digest,
    });
    let mut entry = fitting
        .next()
        .cloned()
        .ok_or_else(|| failed("no such image in it"))?;
    // Without a name of its own the image is known by its id, and takes no name from another.
    if let Some(entry) = entry.as_object_mut() {
        entry.remove("annotations");
    }
    let index = json!({ "schemaVersion": 2, "manifests": [entry] }).to_string();
    let packed = Packed {
        dir: dir.to_owned(),
        ignore: Ignore::of_patterns(["index.json", "manifest.json"])
            .expect("literal names are patterns"),
        extra: vec![("index.json".into(), index.into_bytes())],
        ..Packed::default()
    };
    let query = Query::new(&["images", "load"]).with("quiet", "1");
    let pieces = upload::written(move |out| packed.write(out));
    let sent = session
        .client
        .send_stream(Method::POST, &query, "application/x-tar", pieces);
    let mut messages = Messages::new(&query, sent.await?);
    let mut id = None;
    while let Some(message) = messages.next().await? {
        if let Some(error) = message["error"].as_str() {
            return Err(failed(error));
        }
        let text = message["stream"].as_str().unwrap_or_default();
        if let Some(loaded) = text.trim().strip_prefix("Loaded image ID: ") {
            id = Some(loaded.to_owned());
        }
    }
    let id = id.ok_or_else(|| failed("the daemon did not say which image it loaded"))?;
    Ok(format!("docker-image://{id}"))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted<'a> {
    Any,
    Tag(&'a str),
    Digest(&'a str),
}

fn split(layout: &str) -> (&Path, Wanted<'_>) {
    if let Some((dir, digest)) = layout.split_once('@') {
        return (Path::new(dir), Wanted::Digest(digest));
    }
    match layout.rsplit_once(':') {
        Some((dir, tag)) if !tag.contains('/') => (Path::new(dir), Wanted::Tag(tag)),
        _ => (Path::new(layout), Wanted::Any),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_may_name_one_of_its_images() {
        assert_eq!(split("./dir"), (Path::new("./dir"), Wanted::Any));
        assert_eq!(split("/a:b/dir"), (Path::new("/a:b/dir"), Wanted::Any));
        assert_eq!(split("dir:1.0"), (Path::new("dir"), Wanted::Tag("1.0")));
        assert_eq!(
            split("dir@sha256:ab"),
            (Path::new("dir"), Wanted::Digest("sha256:ab"))
        );
    }
}
