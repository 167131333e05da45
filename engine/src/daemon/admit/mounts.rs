//! The form of mounts, short and long, before anything is looked up.

use std::path::Path;

use crate::api::types::{HostConfig, MountRequest};

use super::super::DaemonError;
use super::super::propagation::WORDS;

/// Checks `--mount` and `--tmpfs`.
pub(crate) fn mounts(host: &HostConfig) -> Result<(), DaemonError> {
    host.mounts.iter().flatten().try_for_each(mount)?;
    host.tmpfs
        .keys()
        .try_for_each(|target| mount_target(target).map(drop))
}

fn mount(mount: &MountRequest) -> Result<(), DaemonError> {
    let kind = mount.kind.as_str();
    let options = [
        ("VolumeOptions", mount.volume_options.is_some(), "volume"),
        ("BindOptions", mount.bind_options.is_some(), "bind"),
        ("TmpfsOptions", mount.tmpfs_options.is_some(), "tmpfs"),
    ];
    if let Some((name, ..)) = options
        .iter()
        .find(|(_, given, owner)| *given && *owner != kind)
    {
        return Err(DaemonError::Invalid(format!(
            "{name} must not be specified on mount type \"{kind}\""
        )));
    }
    let wrong = |why: String| {
        DaemonError::Invalid(format!("invalid mount config for type \"{kind}\": {why}"))
    };
    if !matches!(kind, "bind" | "volume" | "tmpfs") {
        return Err(wrong("mount type unknown".into()));
    }
    if mount.target.is_empty() {
        return Err(wrong("field Target must not be empty".into()));
    }
    mount_target(&mount.target).map_err(|error| wrong(error.to_string()))?;
    match kind {
        "bind" if mount.source.is_empty() => Err(wrong("field Source must not be empty".into())),
        "bind" if unknown_propagation(mount).is_some() => Err(wrong(format!(
            "invalid propagation mode: {}",
            unknown_propagation(mount).unwrap_or_default()
        ))),
        "bind" if !mount.source.starts_with('/') => Err(wrong(format!(
            "invalid mount path: '{}' mount path must be absolute",
            mount.source
        ))),
        "tmpfs" if !mount.source.is_empty() => {
            Err(wrong("field Source must not be specified".into()))
        }
        "volume" => subpath(mount).map_err(wrong),
        _ => Ok(()),
    }
}

/// The word that is none of mount(8)'s.
fn unknown_propagation(mount: &MountRequest) -> Option<&str> {
    let word = mount.bind_options.as_ref()?.propagation.as_str();
    (!word.is_empty() && !WORDS.contains(&word)).then_some(word)
}

fn subpath(mount: &MountRequest) -> Result<(), String> {
    let Some(options) = &mount.volume_options else {
        return Ok(());
    };
    if options.subpath.is_empty() {
        return Ok(());
    }
    if mount.source.is_empty() {
        return Err("must not set Subpath when using anonymous volumes".into());
    }
    let path = Path::new(&options.subpath);
    if path.is_absolute() || options.subpath.split('/').any(|part| part == "..") {
        return Err("subpath must be a relative path within the volume".into());
    }
    Ok(())
}

/// An absolute, clean path in the container, and not its root.
pub(crate) fn mount_target(path: &str) -> Result<String, DaemonError> {
    if !path.starts_with('/') {
        return Err(DaemonError::Invalid(format!(
            "invalid mount path: '{path}' mount path must be absolute"
        )));
    }
    let clean = Path::new("/").join(kernel::tree::clean(Path::new(path)));
    if clean == Path::new("/") {
        return Err(DaemonError::Invalid(
            "invalid specification: destination can't be '/'".into(),
        ));
    }
    Ok(clean.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: serde_json::Value, words: &str) {
        let host = HostConfig {
            mounts: Some(vec![serde_json::from_value(json).unwrap()]),
            ..HostConfig::default()
        };
        let found = mounts(&host).map_err(|error| error.to_string());
        assert_eq!(found.err().unwrap_or_default(), words);
    }

    #[test]
    fn mounts_are_well_formed() {
        use serde_json::json;
        check(json!({"Type": "volume", "Target": "/x"}), "");
        check(
            json!({"Type": "foo", "Target": "/x"}),
            "invalid mount config for type \"foo\": mount type unknown",
        );
        check(
            json!({"Type": "bind", "Target": "/x"}),
            "invalid mount config for type \"bind\": field Source must not be empty",
        );
        check(
            json!({"Type": "tmpfs", "Source": "x", "Target": "/x"}),
            "invalid mount config for type \"tmpfs\": field Source must not be specified",
        );
        check(
            json!({"Type": "tmpfs", "Target": "x"}),
            "invalid mount config for type \"tmpfs\": invalid mount path: 'x' mount path must be absolute",
        );
        check(
            json!({"Type": "bind", "Source": "/a", "Target": "/x", "VolumeOptions": {}}),
            "VolumeOptions must not be specified on mount type \"bind\"",
        );
    }
}
