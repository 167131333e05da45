//! `--output`: where the result goes besides the engine.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use http_body_util::BodyExt;
use hyper::Method;
use serde_json::json;

use crate::cli::Session;
use crate::cli::client::Payload;
use crate::cli::commands::image::pull;
use crate::cli::credentials;
use crate::cli::error::CliError;
use crate::cli::options::reference;
use crate::cli::path::Query;
use crate::cli::{output, tty};

/// What `--output` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The engine only.
    Engine,
    /// The files in a directory.
    Local(String),
    /// The files in an archive.
    Tar(String),
    /// The image in an archive, in Docker's and the OCI's form at once.
    Image(String),
    /// The image to the registries that its names say.
    Registry,
}

/// Reads `type=local,dest=DIR`, or a directory, or `-`.
pub(crate) fn parse(text: &str) -> Result<Target, CliError> {
    if !text.contains('=') {
        return Ok(if text == "-" {
            Target::Tar("-".into())
        } else {
            Target::Local(text.to_owned())
        });
    }
    let (mut kind, mut dest, mut push) = ("", None, false);
    for word in text.split(',') {
        match word.split_once('=') {
            Some(("type", value)) => kind = value,
            Some(("push", value)) => push = value == "true",
            Some(("dest" | "destination", value)) => dest = Some(value.to_owned()),
            _ => return Err(CliError::Said(format!("invalid value {word} in --output"))),
        }
    }
    let dest_or_stdout = || {
        let dest = dest.clone().unwrap_or_else(|| "-".into());
        if dest == "-" && tty::has_output() {
            return Err(CliError::Said(
                "dest file is required for this exporter. refusing to write to console".into(),
            ));
        }
        Ok(dest)
    };
    match kind {
        "local" => dest
            .map(Target::Local)
            .ok_or_else(|| CliError::Said("dest is required for local output".into())),
        "tar" => dest_or_stdout().map(Target::Tar),
        "docker" if dest.is_none() => Ok(Target::Engine),
        "image" if !push => Ok(Target::Engine),
        "registry" | "image" => Ok(Target::Registry),
        "oci" | "docker" => dest_or_stdout().map(Target::Image),
        other => Err(CliError::Said(format!(
            "exporter {other:?} could not be found"
        ))),
    }
}

/// Brings the image with this id and these names there.
pub(crate) async fn write(
    session: &Session,
    id: &str,
    names: &[String],
    target: &Target,
) -> Result<(), CliError> {
    match target {
        Target::Engine => Ok(()),
        Target::Image(dest) => {
            let query = match names {
                [] => Query::new(&["images", id, "get"]),
                names => names
                    .iter()
                    .fold(Query::new(&["images", "get"]), |query, name| {
                        query.with("names", &reference::with_tag(name))
                    }),
            };
            fetch(session, &query, dest).await
        }
        Target::Registry => {
            for name in names {
                push(session, name).await?;
            }
            Ok(())
        }
        Target::Tar(dest) => files(session, id, dest).await,
        Target::Local(dir) => {
            let aside = std::env::temp_dir().join(format!(
                "docker-build-{:016x}.tar",
                getrandom::u64().expect("random")
            ));
            let path = aside.display().to_string();
            let result = match files(session, id, &path).await {
                Ok(()) => unpack(&aside, dir),
                Err(error) => Err(error),
            };
            let _ = std::fs::remove_file(&aside);
            result
        }
    }
}

async fn push(session: &Session, name: &str) -> Result<(), CliError> {
    let parsed = reference::parse(name);
    let auth = credentials::header_for(session.config.directory(), name)?;
    let query = Query::new(&["images", parsed.name, "push"])
        .with("tag", parsed.version.unwrap_or("latest"))
        .with_registry_auth(Some(auth.unwrap_or_else(|| "e30=".to_owned())));
    pull::show(session, &query, pull::Loudness::Errors).await
}

/// The files of an image, through a container that never runs.
async fn files(session: &Session, id: &str, dest: &str) -> Result<(), CliError> {
    let body = json!({ "Image": id, "Cmd": ["/"] });
    let created = session
        .client
        .post(&Query::new(&["containers", "create"]), Payload::Json(body))
        .await?;
    let container = created["Id"].as_str().unwrap_or_default().to_owned();
    let query = Query::new(&["containers", &container, "export"]);
    let result = fetch(session, &query, dest).await;
    session
        .client
        .delete(&Query::new(&["containers", &container]).with("force", "1"))
        .await?;
    result
}

async fn fetch(session: &Session, query: &Query, dest: &str) -> Result<(), CliError> {
    download(session, Method::GET, query, Payload::Empty, dest).await
}

/// Writes the body of an answer to a file, or to standard output.
pub(super) async fn download(
    session: &Session,
    method: Method,
    query: &Query,
    payload: Payload,
    dest: &str,
) -> Result<(), CliError> {
    let response = session.client.send(method, query, payload).await?;
    let file = |source| CliError::File {
        what: "write",
        path: dest.to_owned(),
        source,
    };
    let mut out = match dest {
        "-" => None,
        path => Some(File::create(path).map_err(file)?),
    };
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|source| CliError::Broken {
            doing: query.as_str().to_owned(),
            source,
        })?;
        let Ok(bytes) = frame.into_data() else {
            continue;
        };
        match &mut out {
            Some(out) => out.write_all(&bytes).map_err(file)?,
            None => output::bytes(&bytes)?,
        }
    }
    Ok(())
}

fn unpack(archive: &Path, dir: &str) -> Result<(), CliError> {
    let file = |source| CliError::File {
        what: "write",
        path: dir.to_owned(),
        source,
    };
    std::fs::create_dir_all(dir).map_err(file)?;
    let mut archive = tar::Archive::new(File::open(archive).map_err(file)?);
    archive.set_preserve_permissions(true);
    for entry in archive.entries().map_err(file)? {
        let mut entry = entry.map_err(file)?;
        if entry
            .path()
            .is_ok_and(|path| path.as_ref() == Path::new(".dockerenv"))
        {
            continue;
        }
        entry.unpack_in(dir).map_err(file)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_as_docker_reads_them() {
        assert_eq!(parse("out").unwrap(), Target::Local("out".into()));
        assert_eq!(
            parse("type=local,dest=out").unwrap(),
            Target::Local("out".into())
        );
        assert_eq!(
            parse("type=oci,dest=a.tar").unwrap(),
            Target::Image("a.tar".into())
        );
        assert_eq!(parse("type=docker").unwrap(), Target::Engine);
        assert_eq!(parse("type=registry").unwrap(), Target::Registry);
        assert_eq!(parse("type=image,push=true").unwrap(), Target::Registry);
        assert!(parse("type=local").is_err() && parse("type=what,dest=x").is_err());
    }
}
