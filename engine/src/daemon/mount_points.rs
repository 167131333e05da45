//! What a container's binds, volumes and `VOLUME` paths resolve to.

use std::collections::BTreeMap;
use std::path::Path;

use crate::api::types::{HostConfig, MountPoint, MountRequest, VolumeOptions};
use crate::image::Image;

use super::admit::mount_target;
use super::container::ContainerRecord;
use super::propagation::WORDS;
use super::volumes::NewVolume;
use super::{Daemon, DaemonError, volume_seed};

/// How a mount may be written to, and by which word that was said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Mode {
    text: String,
    read_only: bool,
    no_copy: bool,
    propagation: Option<&'static str>,
}

impl Mode {
    fn parse(text: &str) -> Result<Self, DaemonError> {
        let mut mode = Self {
            text: text.to_owned(),
            ..Self::default()
        };
        if text.is_empty() {
            return Ok(mode);
        }
        // Of each kind only one may be said.
        let mut said = Vec::new();
        for word in text.split(',') {
            // Labels are SELinux's; without it they mean nothing, as in Docker. So does the consistency.
            let kind = match word {
                "ro" | "rw" => "access",
                "nocopy" => "copy",
                "z" | "Z" => "label",
                "consistent" | "cached" | "delegated" => "consistency",
                word if WORDS.contains(&word) => "propagation",
                _ => "",
            };
            if kind.is_empty() || said.contains(&kind) {
                return Err(DaemonError::Refused(format!("invalid mode: {text}")));
            }
            said.push(kind);
            match kind {
                "access" => mode.read_only = word == "ro",
                "copy" => mode.no_copy = true,
                "propagation" => mode.propagation = WORDS.into_iter().find(|known| *known == word),
                _ => {}
            }
        }
        Ok(mode)
    }
}

/// What happens when the source of a bind is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    /// A directory is made (`-v`).
    Make,
    /// It is an error (`--mount`).
    Refuse,
}

impl Daemon {
    /// What a container's binds, volumes and `VOLUME` paths resolve to; volumes are made.
    pub(crate) fn resolve_mounts(
        &self,
        record: &ContainerRecord,
        image: &Image,
    ) -> Result<Vec<MountPoint>, DaemonError> {
        let host = &record.host_config;
        let mut mounts = self.of_other_containers(host)?;
        let mut own: BTreeMap<String, MountPoint> = BTreeMap::new();
        let mut keep = |mount: MountPoint| {
            let target = mount.destination.clone();
            match own.insert(target.clone(), mount) {
                Some(_) => Err(DaemonError::Invalid(format!(
                    "Duplicate mount point: {target}"
                ))),
                None => Ok(()),
            }
        };
        let driver = match host.volume_driver.as_str() {
            "" => "local",
            driver => driver,
        };
        for bind in &host.binds {
            keep(self.resolve_bind(bind, driver, image)?)?;
        }
        for wanted in host.mounts.iter().flatten() {
            if let Some(mount) = self.resolve_request(wanted, driver, image)? {
                keep(mount)?;
            }
        }
        mounts.extend(own);
        for path in record.config.volumes.iter().flat_map(BTreeMap::keys) {
            let target = mount_target(path)?;
            if !mounts.contains_key(&target) && !host.tmpfs.contains_key(&target) {
                let new = NewVolume::anonymous(driver);
                let mount = self.volume(new, &target, &Mode::default(), image)?;
                mounts.insert(target, mount);
            }
        }
        Ok(mounts.into_values().collect())
    }

    /// `--volumes-from`.
    fn of_other_containers(
        &self,
        host: &HostConfig,
    ) -> Result<BTreeMap<String, MountPoint>, DaemonError> {
        let mut mounts = BTreeMap::new();
        for other in host.volumes_from.iter().flatten() {
            let (name, mode) = other.split_once(':').unwrap_or((other, ""));
            if !matches!(mode, "" | "rw" | "ro" | "z" | "Z") {
                return Err(DaemonError::Invalid(format!("invalid mode: {mode}")));
            }
            let other = self
                .container(name)
                .map_err(|error| DaemonError::Invalid(error.to_string()))?;
            for mount in other.record().mounts {
                let rw = mount.rw && mode != "ro";
                mounts.insert(mount.destination.clone(), MountPoint { rw, ..mount });
            }
        }
        Ok(mounts)
    }

    /// `source:destination[:options]`.
    fn resolve_bind(
        &self,
        text: &str,
        driver: &str,
        image: &Image,
    ) -> Result<MountPoint, DaemonError> {
        let wrong = |why: &str| {
            DaemonError::Refused(format!("invalid volume specification: '{text}'{why}"))
        };
        let parts: Vec<&str> = text.split(':').collect();
        let (source, target, mode) = match parts[..] {
            [target] => ("", target, ""),
            [source, target] => (source, target, ""),
            [source, target, mode] => (source, target, mode),
            _ => return Err(wrong("")),
        };
        let kind = if source.starts_with('/') {
            "bind"
        } else {
            "volume"
        };
        let config = |why: String| {
            wrong(&format!(
                ": invalid mount config for type \"{kind}\": {why}"
            ))
        };
        let mode = Mode::parse(mode)?;
        let target = mount_target(target).map_err(|error| config(error.to_string()))?;
        if kind == "bind" {
            if mode.no_copy {
                return Err(config("field VolumeOptions must not be specified".into()));
            }
            return self.bind(source, &target, &mode, Missing::Make);
        }
        if mode.propagation.is_some() {
            return Err(config("field BindOptions must not be specified".into()));
        }
        let new = if source.is_empty() {
            NewVolume::anonymous(driver)
        } else {
            NewVolume::named(source, driver)
        };
        let text = if mode.text.is_empty() {
            "z".to_owned()
        } else {
            mode.text.clone()
        };
        self.volume(new, &target, &Mode { text, ..mode }, image)
    }

    /// `--mount`; its form was checked before. A tmpfs is nothing to resolve.
    fn resolve_request(
        &self,
        wanted: &MountRequest,
        driver: &str,
        image: &Image,
    ) -> Result<Option<MountPoint>, DaemonError> {
        let target = mount_target(&wanted.target)?;
        let mut mode = Mode {
            read_only: wanted.read_only,
            ..Mode::default()
        };
        if wanted.kind == "bind" {
            let options = wanted.bind_options.clone().unwrap_or_default();
            if !options.propagation.is_empty() {
                let known = WORDS
                    .into_iter()
                    .find(|known| *known == options.propagation);
                mode.propagation = known;
            }
            let missing = if options.create_mountpoint {
                Missing::Make
            } else {
                Missing::Refuse
            };
            return self.bind(&wanted.source, &target, &mode, missing).map(Some);
        }
        if wanted.kind != "volume" {
            return Ok(None);
        }
        let VolumeOptions {
            no_copy,
            labels,
            subpath,
            driver_config,
        } = wanted.volume_options.clone().unwrap_or_default();
        mode.no_copy = no_copy;
        mode.text = "z".into();
        let driver_config = driver_config.unwrap_or_default();
        let driver = match driver_config.name.as_str() {
            "" => driver,
            own => own,
        };
        let mut new = if wanted.source.is_empty() {
            NewVolume::anonymous(driver)
        } else {
            NewVolume::named(&wanted.source, driver)
        };
        new.labels.extend(labels);
        new.options = driver_config.options;
        let mut mount = self.volume(new, &target, &mode, image)?;
        if !subpath.is_empty() {
            mount.source = self.inside_volume(&mount, &subpath)?;
        }
        Ok(Some(mount))
    }

    /// A folder of a volume, without following a link out of it.
    fn inside_volume(&self, mount: &MountPoint, subpath: &str) -> Result<String, DaemonError> {
        if self.volume_source(&mount.name).is_some() {
            return Err(DaemonError::Invalid(format!(
                "a subpath of the volume {}, which has mount options, is not supported",
                mount.name
            )));
        }
        let clean = kernel::tree::clean(Path::new(subpath));
        let root = kernel::tree::Tree::open(Path::new(&mount.source))?;
        root.follow(&clean).map_err(|error| {
            DaemonError::Refused(format!(
                "cannot access path {subpath:?} in volume {}: {error}",
                mount.name
            ))
        })?;
        let path = Path::new(&mount.source).join(clean);
        if path.canonicalize().is_ok_and(|real| real == path) {
            return Ok(path.display().to_string());
        }
        Err(DaemonError::Invalid(format!(
            "subpath {subpath:?} of volume {} must not lead through a link",
            mount.name
        )))
    }

    /// A path of the machine, looked up in the machine's root.
    fn bind(
        &self,
        source: &str,
        target: &str,
        mode: &Mode,
        missing: Missing,
    ) -> Result<MountPoint, DaemonError> {
        let root = kernel::tree::Tree::open(&self.machine_root())?;
        let clean = kernel::tree::clean(Path::new(source));
        if let Err(error) = root.follow(&clean) {
            if missing == Missing::Refuse {
                let text = format!(
                    "invalid mount config for type \"bind\": bind source path does not exist: {source}"
                );
                return Err(DaemonError::Invalid(text));
            }
            if error.source.kind() != std::io::ErrorKind::NotFound {
                return Err(error.into());
            }
            root.make_dirs(&clean)?;
        }
        let source = Path::new("/").join(clean);
        // So that a container does not hold on to what the engine mounts later.
        let usual = if self.holds_data(&source) {
            "rslave"
        } else {
            "rprivate"
        };
        Ok(MountPoint {
            kind: "bind".into(),
            source: source.display().to_string(),
            destination: target.to_owned(),
            mode: mode.text.clone(),
            rw: !mode.read_only,
            propagation: mode.propagation.unwrap_or(usual).into(),
            ..MountPoint::default()
        })
    }

    /// A volume; a new one gets the image's files of that path.
    fn volume(
        &self,
        new: NewVolume,
        target: &str,
        mode: &Mode,
        image: &Image,
    ) -> Result<MountPoint, DaemonError> {
        let (volume, data) = self.ensure_volume(new)?;
        // As Docker: whenever the volume is empty, not only when it is new.
        if !mode.no_copy && !volume.has_options() && is_empty(&data) {
            volume_seed::seed(&image.lowers(&self.store)?, Path::new(target), &data)?;
        }
        Ok(MountPoint {
            kind: "volume".into(),
            name: volume.name().to_owned(),
            source: data.display().to_string(),
            destination: target.to_owned(),
            driver: "local".into(),
            mode: mode.text.clone(),
            rw: !mode.read_only,
            propagation: String::new(),
        })
    }
}

fn is_empty(dir: &Path) -> bool {
    std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_have_words() {
        let mode = Mode::parse("ro,z,nocopy").unwrap();
        assert!(mode.read_only && mode.no_copy);
        assert_eq!(
            Mode::parse("rw,rslave").unwrap().propagation,
            Some("rslave")
        );
        for bad in ["foo", "ro,", "ro,ro", "rw,ro", "z,Z", "rshared,rslave"] {
            let refused = Mode::parse(bad).unwrap_err().to_string();
            assert_eq!(refused, format!("invalid mode: {bad}"));
        }
    }
}
