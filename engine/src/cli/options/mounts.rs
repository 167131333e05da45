//! `-v`, `--mount` and `--tmpfs`: what is mounted in the container besides its image.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::super::error::CliError;
use super::{size, words};

/// The mounts of one container, as the API's create body divides them.
#[derive(Debug, Default)]
pub(crate) struct Mounts {
    /// `HostConfig.Binds`: `-v SOURCE:TARGET[:options]`.
    pub(crate) binds: Vec<String>,
    /// `Config.Volumes`: `-v TARGET`.
    pub(crate) anonymous: Vec<String>,
    /// `HostConfig.Mounts`: `--mount`.
    pub(crate) mounts: Vec<Value>,
    /// `HostConfig.Tmpfs`: `--tmpfs TARGET[:options]`.
    pub(crate) tmpfs: BTreeMap<String, String>,
}

impl Mounts {
    /// Reads the three options.
    pub(crate) fn parse(
        volumes: &[String],
        mounts: &[String],
        tmpfs: &[String],
    ) -> Result<Self, CliError> {
        let mut found = Self::default();
        for word in volumes {
            if word.split(':').count() > 3 {
                return Err(CliError::Said(format!(
                    "invalid spec: {word}: too many colons"
                )));
            }
            if word.contains(':') {
                found.binds.push(absolute(word)?);
            } else {
                found.anonymous.push(word.clone());
            }
        }
        for word in mounts {
            found.mounts.push(mount(word).map_err(CliError::Said)?);
        }
        for word in tmpfs {
            let (target, options) = word.split_once(':').unwrap_or((word, ""));
            found.tmpfs.insert(target.to_owned(), options.to_owned());
        }
        Ok(found)
    }

    /// `{"/data": {}}`
    pub(crate) fn volumes_body(&self) -> Value {
        self.anonymous
            .iter()
            .map(|target| (target.clone(), json!({})))
            .collect()
    }
}

/// A relative source directory (`./x`, `..`) is relative to the client, so it is resolved here.
fn absolute(volume: &str) -> Result<String, CliError> {
    let (source, rest) = volume.split_once(':').expect("the caller saw a colon");
    if !(source == "." || source == ".." || source.starts_with("./") || source.starts_with("../")) {
        return Ok(volume.to_owned());
    }
    Ok(format!("{}:{rest}", resolve(source)?.display()))
}

/// `path` from the root, without `.` and `..` components.
fn resolve(path: &str) -> Result<PathBuf, CliError> {
    let here = std::env::current_dir().map_err(|source| CliError::File {
        what: "find",
        path: "the current directory".to_owned(),
        source,
    })?;
    let mut clean = PathBuf::new();
    for part in here.join(path).components() {
        match part {
            std::path::Component::ParentDir => {
                clean.pop();
            }
            std::path::Component::CurDir => {}
            part => clean.push(Path::new(part.as_os_str())),
        }
    }
    Ok(clean)
}

/// The groups of options that belong to one type of mount.
#[derive(Default)]
struct Options {
    bind: Map<String, Value>,
    volume: Map<String, Value>,
    tmpfs: Map<String, Value>,
}

/// `type=bind,source=/a,target=/b,readonly`
pub(crate) fn mount(text: &str) -> Result<Value, String> {
    let mut body = Map::new();
    let mut kind = "volume".to_owned();
    let mut options = Options::default();
    for field in words::fields(text) {
        let (key, value) = match field.split_once('=') {
            Some((key, value)) => (key.to_ascii_lowercase(), Some(value.to_owned())),
            None => (field.to_ascii_lowercase(), None),
        };
        match (key.as_str(), value) {
            ("readonly" | "ro", value) => {
                body.insert("ReadOnly".into(), yes("readonly", value)?.into());
            }
            ("volume-nocopy", value) => {
                options
                    .volume
                    .insert("NoCopy".into(), yes(&key, value)?.into());
            }
            ("bind-nonrecursive", value) => {
                options
                    .bind
                    .insert("NonRecursive".into(), yes(&key, value)?.into());
            }
            (_, None) => {
                return Err(format!("invalid field '{field}' must be a key=value pair"));
            }
            ("type", Some(value)) => kind = value.to_ascii_lowercase(),
            ("source" | "src", Some(value)) => {
                let value = if value.starts_with('.') {
                    resolve(&value)
                        .map_err(|error| error.to_string())?
                        .display()
                        .to_string()
                } else {
                    value
                };
                body.insert("Source".into(), value.into());
            }
            ("target" | "dst" | "destination", Some(value)) => {
                body.insert("Target".into(), value.into());
            }
            ("consistency", Some(value)) => {
                body.insert("Consistency".into(), value.to_ascii_lowercase().into());
            }
            ("bind-propagation", Some(value)) => {
                options
                    .bind
                    .insert("Propagation".into(), value.to_ascii_lowercase().into());
            }
            ("volume-subpath", Some(value)) => {
                options.volume.insert("Subpath".into(), value.into());
            }
            ("volume-label", Some(value)) => {
                let (key, value) = value.split_once('=').unwrap_or((&value, ""));
                child(&mut options.volume, "Labels").insert(key.to_owned(), value.into());
            }
            ("volume-driver", Some(value)) => {
                child(&mut options.volume, "DriverConfig").insert("Name".into(), value.into());
            }
            ("volume-opt", Some(value)) => {
                let (key, value) = value.split_once('=').unwrap_or((&value, ""));
                let driver = child(&mut options.volume, "DriverConfig");
                child(driver, "Options").insert(key.to_owned(), value.into());
            }
            ("tmpfs-size", Some(value)) => {
                let bytes = size::parse(&value)
                    .ok_or_else(|| format!("invalid value for {key}: {value}"))?;
                options.tmpfs.insert("SizeBytes".into(), bytes.into());
            }
            ("tmpfs-mode", Some(value)) => {
                let mode = u32::from_str_radix(&value, 8)
                    .map_err(|_| format!("invalid value for {key}: {value}"))?;
                options.tmpfs.insert("Mode".into(), mode.into());
            }
            (_, Some(_)) => return Err(format!("unexpected key '{key}' in '{field}'")),
        }
    }
    if !body.contains_key("Target") {
        return Err("target is required".to_owned());
    }
    for (name, given, belongs) in [
        ("bind", &options.bind, "bind"),
        ("volume", &options.volume, "volume"),
        ("tmpfs", &options.tmpfs, "tmpfs"),
    ] {
        if !given.is_empty() && kind != belongs {
            return Err(format!(
                "cannot mix '{name}-*' options with mount type '{kind}'"
            ));
        }
    }
    body.insert("Type".into(), kind.into());
    for (name, given) in [
        ("BindOptions", options.bind),
        ("VolumeOptions", options.volume),
        ("TmpfsOptions", options.tmpfs),
    ] {
        if !given.is_empty() {
            body.insert(name.into(), given.into());
        }
    }
    Ok(body.into())
}

fn yes(key: &str, value: Option<String>) -> Result<bool, String> {
    match value.as_deref() {
        None | Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(value) => Err(format!("invalid value for {key}: {value}")),
    }
}

fn child<'m>(map: &'m mut Map<String, Value>, key: &str) -> &'m mut Map<String, Value> {
    map.entry(key)
        .or_insert_with(|| json!({}))
        .as_object_mut()
        .expect("only objects are put under these keys")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(volumes: &[&str], mounts: &[&str], tmpfs: &[&str]) -> Result<Mounts, CliError> {
        let own = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        Mounts::parse(&own(volumes), &own(mounts), &own(tmpfs))
    }

    #[test]
    fn a_volume_with_a_colon_is_a_bind() {
        let mounts = parse(&["data:/data:ro", "/cache"], &[], &["/run:size=1m"]).unwrap();
        assert_eq!(mounts.binds, ["data:/data:ro"]);
        assert_eq!(mounts.anonymous, ["/cache"]);
        assert_eq!(mounts.tmpfs["/run"], "size=1m");
    }

    #[test]
    fn a_relative_source_is_the_client_s() {
        let here = std::env::current_dir().unwrap();
        let mounts = parse(&["./x/../y:/y", ".:/here"], &[], &[]).unwrap();
        assert_eq!(mounts.binds[0], format!("{}/y:/y", here.display()));
        assert_eq!(mounts.binds[1], format!("{}:/here", here.display()));
    }

    #[test]
    fn mount_fields_become_a_body() {
        let bind = "type=bind,src=/a,dst=/b,ro,bind-propagation=rslave";
        let tmpfs = "type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1770";
        let mounts = parse(&[], &[bind, tmpfs, "src=v,dst=/v,volume-label=a=b"], &[]).unwrap();
        assert_eq!(
            mounts.mounts[0],
            json!({"Source": "/a", "Target": "/b", "ReadOnly": true, "Type": "bind",
                   "BindOptions": {"Propagation": "rslave"}}),
        );
        assert_eq!(
            mounts.mounts[1]["TmpfsOptions"],
            json!({"SizeBytes": 1 << 20, "Mode": 0o1770})
        );
        assert_eq!(mounts.mounts[2]["VolumeOptions"]["Labels"]["a"], "b");
    }

    #[track_caller]
    fn refused(word: &str, why: &str) {
        let error = parse(&[], &[word], &[]).unwrap_err().to_string();
        assert!(error.ends_with(why), "{error}");
    }

    #[test]
    fn a_field_that_means_nothing_is_refused() {
        refused("type=bind,src=/a", "target is required");
        refused("dst=/a,foo=1", "unexpected key 'foo' in 'foo=1'");
        refused("dst=/a,foo", "invalid field 'foo' must be a key=value pair");
        refused(
            "type=bind,src=/a,dst=/a,tmpfs-size=1m",
            "cannot mix 'tmpfs-*' options with mount type 'bind'",
        );
    }
}
