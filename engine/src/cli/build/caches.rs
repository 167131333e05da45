//! `--cache-from` and `--cache-to`: steps that were built elsewhere, and where those of this build go.

use std::fs::File;
use std::path::Path;

use hyper::Method;
use serde_json::{Value, json};

use crate::cli::Session;
use crate::cli::client::Payload;
use crate::cli::error::CliError;
use crate::cli::path::Query;
use crate::dockerfile::Ignore;

use super::contexts::Attached;
use super::output::download;

/// Where a cache goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// Into the image itself: its history is one always.
    Inline,
    /// To a registry; the daemon does it.
    Registry(String),
    /// Into a directory of this client, as an OCI layout.
    Local(Scope, String),
}

/// Which steps are exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Those of the image itself.
    Result,
    /// Those of all stages.
    All,
}

type Pairs<'a> = Vec<(&'a str, &'a str)>;

fn pairs<'a>(option: &'a str, flag: &str) -> Result<Pairs<'a>, CliError> {
    option
        .split(',')
        .map(|word| {
            word.split_once('=')
                .ok_or_else(|| CliError::Said(format!("invalid value {word} in --{flag}")))
        })
        .collect()
}

fn get<'a>(pairs: &Pairs<'a>, names: &[&str]) -> Option<&'a str> {
    let found = pairs.iter().find(|(name, _)| names.contains(name));
    found.map(|(_, value)| *value)
}

fn only(pairs: &Pairs<'_>, flag: &str, known: &[&str]) -> Result<(), CliError> {
    match pairs.iter().find(|(name, _)| !known.contains(name)) {
        Some((name, _)) => Err(CliError::Said(format!(
            "the attribute {name} of --{flag} is not supported"
        ))),
        None => Ok(()),
    }
}

fn unknown(kind: &str, flag: &str) -> CliError {
    CliError::Said(format!(
        "--{flag} type={kind} is not supported: expected registry, local or inline"
    ))
}

/// Reads `--cache-from`; directories travel with the context.
pub(crate) fn sources(
    options: &[String],
    attached: &mut Attached,
) -> Result<Vec<String>, CliError> {
    let mut sources = Vec::new();
    for option in options {
        if !option.contains('=') {
            sources.push(option.clone());
            continue;
        }
        let pairs = pairs(option, "cache-from")?;
        let missing = |what: &str| CliError::Said(format!("--cache-from: {what} is required"));
        sources.push(match get(&pairs, &["type"]).unwrap_or_default() {
            "registry" => {
                only(&pairs, "cache-from", &["type", "ref"])?;
                let name = get(&pairs, &["ref"]).ok_or_else(|| missing("ref"))?;
                format!("registry:{name}")
            }
            "local" => {
                only(&pairs, "cache-from", &["type", "src"])?;
                let dir = get(&pairs, &["src"]).ok_or_else(|| missing("src"))?;
                if !Path::new(dir).join("index.json").is_file() {
                    // The first build of all has nothing to import.
                    crate::cli::output::complain(&format!(
                        "WARNING: no cache in {dir}: index.json is missing"
                    ));
                    continue;
                }
                attached.add(dir.into(), Ignore::default())
            }
            kind => return Err(unknown(kind, "cache-from")),
        });
    }
    Ok(sources)
}

/// Reads `--cache-to`.
pub(crate) fn destinations(options: &[String]) -> Result<Vec<Destination>, CliError> {
    let mut destinations = Vec::new();
    for option in options {
        if !option.contains('=') {
            destinations.push(Destination::Registry(format!("min:{option}")));
            continue;
        }
        let pairs = pairs(option, "cache-to")?;
        let missing = |what: &str| CliError::Said(format!("--cache-to: {what} is required"));
        let (mode, scope) = match get(&pairs, &["mode"]) {
            None | Some("min") => ("min", Scope::Result),
            Some("max") => ("max", Scope::All),
            Some(other) => {
                return Err(CliError::Said(format!(
                    "--cache-to mode={other} is not supported: expected min or max"
                )));
            }
        };
        destinations.push(match get(&pairs, &["type"]).unwrap_or_default() {
            "inline" => Destination::Inline,
            "registry" => {
                only(&pairs, "cache-to", &["type", "ref", "mode"])?;
                let name = get(&pairs, &["ref"]).ok_or_else(|| missing("ref"))?;
                Destination::Registry(format!("{mode}:{name}"))
            }
            "local" => {
                only(&pairs, "cache-to", &["type", "dest", "mode"])?;
                let dir = get(&pairs, &["dest"]).ok_or_else(|| missing("dest"))?;
                Destination::Local(scope, dir.to_owned())
            }
            kind => return Err(unknown(kind, "cache-to")),
        });
    }
    Ok(destinations)
}

/// What the daemon exports itself: `min:NAME` and `max:NAME`.
pub(crate) fn remote(destinations: &[Destination]) -> Vec<&str> {
    let names = destinations
        .iter()
        .filter_map(|destination| match destination {
            Destination::Registry(name) => Some(name.as_str()),
            _ => None,
        });
    names.collect()
}

/// Fetches the steps of a build and keeps them in directories.
pub(crate) async fn write_local(
    session: &Session,
    destinations: &[Destination],
    id: &str,
    steps: &Value,
) -> Result<(), CliError> {
    for destination in destinations {
        let Destination::Local(scope, dir) = destination else {
            continue;
        };
        let body = json!({ "image": id, "steps": steps, "all": *scope == Scope::All });
        let query = Query::new(&["build", "export"]);
        let aside = std::env::temp_dir().join(format!(
            "docker-build-cache-{:016x}.tar",
            getrandom::u64().expect("the kernel has random numbers")
        ));
        let path = aside.display().to_string();
        let fetched = download(session, Method::POST, &query, Payload::Json(body), &path).await;
        let done = fetched.and_then(|()| unpack(&aside, dir));
        let _ = std::fs::remove_file(&aside);
        done?;
    }
    Ok(())
}

/// Blobs that are there already stay; the table of contents is replaced last.
fn unpack(archive: &Path, dir: &str) -> Result<(), CliError> {
    let file = |source| CliError::File {
        what: "write",
        path: dir.to_owned(),
        source,
    };
    std::fs::create_dir_all(dir).map_err(file)?;
    let mut archive = tar::Archive::new(File::open(archive).map_err(file)?);
    for entry in archive.entries().map_err(file)? {
        entry.map_err(file)?.unpack_in(dir).map_err(file)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_read_as_buildx_reads_them() {
        let read = |text: &str| destinations(&[text.to_owned()]).map(|mut all| all.remove(0));
        assert_eq!(read("type=inline").unwrap(), Destination::Inline);
        assert_eq!(
            read("type=registry,ref=r:1/c,mode=max").unwrap(),
            Destination::Registry("max:r:1/c".into())
        );
        assert_eq!(
            read("type=local,dest=d").unwrap(),
            Destination::Local(Scope::Result, "d".into())
        );
        for bad in [
            "type=gha",
            "type=local",
            "type=registry,ref=x,compression=zstd",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
