//! Named and anonymous volumes, and what a container's mounts resolve to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::api::types::{CreateVolume, MountPoint, PruneReport, Volume, VolumeList, VolumeUsage};
use crate::image::Image;
use crate::store::{Records, StoreError, tree_size};

use super::container::ContainerRecord;
use super::{Daemon, DaemonError, Filters, names};

/// A label that marks volumes which nobody named.
const ANONYMOUS: &str = "com.docker.volume.anonymous";

/// The folder of volumes.
#[derive(Debug)]
pub(crate) struct Volumes {
    records: Records<VolumeRecord>,
}

/// `record.json` of a volume.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct VolumeRecord {
    name: String,
    created: Timestamp,
    labels: BTreeMap<String, String>,
}

impl Volumes {
    pub(crate) fn open(dir: &Path) -> Result<Self, DaemonError> {
        Ok(Self {
            records: Records::open(dir)?,
        })
    }

    fn data(&self, name: &str) -> PathBuf {
        self.records.dir(name).join("_data")
    }

    fn all(&self) -> Result<Vec<VolumeRecord>, StoreError> {
        let all = self.records.load_all()?;
        let good = all.into_iter().filter_map(|entry| {
            entry
                .inspect_err(|error| tracing::error!("a volume is left out: {error}"))
                .ok()
        });
        Ok(good.map(|(_, record)| record).collect())
    }

    fn find(&self, name: &str) -> Result<VolumeRecord, DaemonError> {
        let found = self.all()?.into_iter().find(|record| record.name == name);
        found.ok_or_else(|| DaemonError::NotFoundText(format!("get {name}: no such volume")))
    }

    fn told(&self, record: &VolumeRecord) -> Volume {
        Volume {
            created_at: record.created.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            driver: "local".into(),
            labels: Some(record.labels.clone()),
            mountpoint: self.data(&record.name).display().to_string(),
            name: record.name.clone(),
            options: None,
            scope: "local".into(),
            usage_data: None,
        }
    }

    /// The volume of that name, made if missing; tells whether it is new.
    fn ensure(
        &self,
        name: &str,
        labels: BTreeMap<String, String>,
    ) -> Result<(VolumeRecord, bool), DaemonError> {
        if let Ok(record) = self.find(name) {
            return Ok((record, false));
        }
        if !names::is_valid(name) {
            return Err(DaemonError::Invalid(format!(
                "create {name}: \"{name}\" includes invalid characters for a local volume name, only \
                 \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path"
            )));
        }
        let data = self.data(name);
        std::fs::create_dir_all(&data)
            .map_err(DaemonError::io(format!("make {}", data.display())))?;
        let record = VolumeRecord {
            name: name.to_owned(),
            created: Timestamp::now(),
            labels,
        };
        self.records.save(name, &record)?;
        Ok((record, true))
    }
}

impl Daemon {
    /// Makes a volume; one that is there is left as it is.
    pub async fn create_volume(
        self: &Arc<Self>,
        request: CreateVolume,
    ) -> Result<Volume, DaemonError> {
        if !matches!(request.driver.as_str(), "" | "local") {
            let text = format!("plugin \"{}\" not found", request.driver);
            return Err(DaemonError::NotFoundText(text));
        }
        if !request.driver_opts.is_empty() {
            return Err(DaemonError::Unsupported(
                "an option of the local volume driver".into(),
            ));
        }
        self.block(move |daemon| {
            let mut labels = request.labels;
            let name = if request.name.is_empty() {
                labels.insert(ANONYMOUS.into(), String::new());
                names::random_id()
            } else {
                request.name
            };
            let (record, new) = daemon.volumes.ensure(&name, labels)?;
            if new {
                daemon.tell_volume("create", &name, &[("driver", "local")]);
            }
            Ok(daemon.volumes.told(&record))
        })
        .await
    }

    /// One volume.
    pub async fn inspect_volume(self: &Arc<Self>, name: &str) -> Result<Volume, DaemonError> {
        let name = name.to_owned();
        self.block(move |daemon| Ok(daemon.volumes.told(&daemon.volumes.find(&name)?)))
            .await
    }

    /// All volumes.
    pub async fn list_volumes(
        self: &Arc<Self>,
        filters: Filters,
    ) -> Result<VolumeList, DaemonError> {
        self.block(move |daemon| {
            let dangling = filters.flag("dangling")?;
            let mut volumes = Vec::new();
            for record in daemon.volumes.all()? {
                let unused = daemon.users_of(&record.name) == 0;
                let wanted = dangling.is_none_or(|dangling| dangling == unused)
                    && filters.any("name", |wanted| record.name.contains(wanted.as_str()))
                    && filters.any("driver", |wanted| wanted == "local")
                    && filters.labels(&record.labels);
                if wanted {
                    volumes.push(daemon.volumes.told(&record));
                }
            }
            volumes.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(VolumeList {
                volumes,
                warnings: None,
            })
        })
        .await
    }

    /// Removes a volume that no container uses.
    pub async fn remove_volume(self: &Arc<Self>, name: &str) -> Result<(), DaemonError> {
        let name = name.to_owned();
        self.block(move |daemon| {
            daemon.volumes.find(&name)?;
            let users: Vec<_> = daemon
                .all_containers()
                .iter()
                .filter(|container| {
                    container
                        .lock()
                        .record
                        .mounts
                        .iter()
                        .any(|mount| mount.name == name)
                })
                .map(|container| container.id.clone())
                .collect();
            if !users.is_empty() {
                let text = format!("remove {name}: volume is in use - [{}]", users.join(", "));
                return Err(DaemonError::Conflict(text));
            }
            daemon.volumes.records.remove(&name)?;
            daemon.tell_volume("destroy", &name, &[("driver", "local")]);
            Ok(())
        })
        .await
    }

    /// Removes anonymous volumes that no container uses; with the filter `all`, named ones too.
    pub async fn prune_volumes(
        self: &Arc<Self>,
        filters: Filters,
    ) -> Result<PruneReport, DaemonError> {
        let all = filters.flag("all")?.unwrap_or(false);
        self.block(move |daemon| {
            let (mut deleted, mut bytes) = (Vec::new(), 0);
            for record in daemon.volumes.all()? {
                let wanted = all || record.labels.contains_key(ANONYMOUS);
                if !wanted || daemon.users_of(&record.name) > 0 || !filters.labels(&record.labels) {
                    continue;
                }
                bytes += tree_size(&daemon.volumes.data(&record.name));
                daemon.volumes.records.remove(&record.name)?;
                daemon.tell_volume("destroy", &record.name, &[("driver", "local")]);
                deleted.push(record.name);
            }
            Ok(PruneReport {
                volumes_deleted: Some(deleted),
                space_reclaimed: bytes,
                ..PruneReport::default()
            })
        })
        .await
    }

    /// All volumes with their sizes, for `system df`.
    pub(crate) fn volumes_with_usage(&self) -> Result<Vec<Volume>, DaemonError> {
        let volumes = self.volumes.all()?.into_iter().map(|record| {
            let size =
                i64::try_from(tree_size(&self.volumes.data(&record.name))).unwrap_or(i64::MAX);
            let usage = VolumeUsage {
                ref_count: self.users_of(&record.name),
                size,
            };
            Volume {
                usage_data: Some(usage),
                ..self.volumes.told(&record)
            }
        });
        Ok(volumes.collect())
    }

    fn users_of(&self, name: &str) -> i64 {
        let containers = self.all_containers();
        let users = containers.iter().filter(|c| {
            c.lock()
                .record
                .mounts
                .iter()
                .any(|mount| mount.name == name)
        });
        i64::try_from(users.count()).unwrap_or(i64::MAX)
    }

    fn tell_volume(&self, action: &str, name: &str, attributes: &[(&str, &str)]) {
        let attributes = attributes
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        self.events.emit("volume", action, name, attributes);
    }

    /// What a container's binds, volumes and `VOLUME` paths resolve to; volumes are made.
    pub(crate) fn resolve_mounts(
        &self,
        record: &ContainerRecord,
        image: &Image,
    ) -> Result<Vec<MountPoint>, DaemonError> {
        let host = &record.host_config;
        let mut mounts: BTreeMap<String, MountPoint> = BTreeMap::new();
        for other in host.volumes_from.iter().flatten() {
            let (name, mode) = other.split_once(':').unwrap_or((other, "rw"));
            for mount in self.container(name)?.record().mounts {
                let rw = mount.rw && mode != "ro";
                mounts.insert(mount.destination.clone(), MountPoint { rw, ..mount });
            }
        }
        for bind in &host.binds {
            let mount = self.resolve_bind(bind, image)?;
            if mounts
                .insert(mount.destination.clone(), mount.clone())
                .is_some()
                && host.volumes_from.is_none()
            {
                return Err(DaemonError::Invalid(format!(
                    "Duplicate mount point: {}",
                    mount.destination
                )));
            }
        }
        for wanted in host.mounts.iter().flatten() {
            let target = destination(&wanted.target)?;
            let mount = match wanted.kind.as_str() {
                "tmpfs" => continue,
                "bind" => self.bind(
                    &wanted.source,
                    &target,
                    !wanted.read_only,
                    "",
                    Missing::Refuse,
                )?,
                "volume" => {
                    if wanted
                        .volume_options
                        .as_ref()
                        .is_some_and(|options| !options.subpath.is_empty())
                    {
                        return Err(DaemonError::Unsupported("volume-subpath".into()));
                    }
                    self.volume(&wanted.source, &target, !wanted.read_only, "z", image)?
                }
                other => {
                    return Err(DaemonError::Invalid(format!(
                        "mount type unknown: \"{other}\""
                    )));
                }
            };
            mounts.insert(target, mount);
        }
        for path in record.config.volumes.iter().flat_map(BTreeMap::keys) {
            let target = destination(path)?;
            if !mounts.contains_key(&target) && !host.tmpfs.contains_key(&target) {
                let mount = self.volume("", &target, true, "", image)?;
                mounts.insert(target, mount);
            }
        }
        Ok(mounts.into_values().collect())
    }

    /// `source:destination[:options]`.
    fn resolve_bind(&self, text: &str, image: &Image) -> Result<MountPoint, DaemonError> {
        let bad = || DaemonError::Invalid(format!("invalid volume specification: '{text}'"));
        let parts: Vec<&str> = text.split(':').collect();
        let (source, target, mode) = match parts[..] {
            [target] => ("", target, ""),
            [source, target] => (source, target, ""),
            [source, target, mode] => (source, target, mode),
            _ => return Err(bad()),
        };
        let target = destination(target)?;
        let mut rw = true;
        for word in mode.split(',').filter(|word| !word.is_empty()) {
            match word {
                "ro" => rw = false,
                // Labels are SELinux's; without it they mean nothing, as in Docker.
                "rw" | "z" | "Z" | "rprivate" | "private" | "nocopy" => {}
                other => {
                    return Err(DaemonError::Unsupported(format!(
                        "the mount option {other:?}"
                    )));
                }
            }
        }
        if source.starts_with('/') {
            self.bind(source, &target, rw, mode, Missing::Make)
        } else {
            self.volume(
                source,
                &target,
                rw,
                if mode.is_empty() { "z" } else { mode },
                image,
            )
        }
    }

    /// A path of the machine, looked up in the machine's root.
    fn bind(
        &self,
        source: &str,
        target: &str,
        rw: bool,
        mode: &str,
        missing: Missing,
    ) -> Result<MountPoint, DaemonError> {
        if !source.starts_with('/') {
            let text = format!(
                "invalid mount config for type \"bind\": invalid mount path: '{source}' mount path must be absolute"
            );
            return Err(DaemonError::Invalid(text));
        }
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
        Ok(MountPoint {
            kind: "bind".into(),
            source: Path::new("/").join(clean).display().to_string(),
            destination: target.to_owned(),
            mode: mode.to_owned(),
            rw,
            propagation: "rprivate".into(),
            ..MountPoint::default()
        })
    }

    /// A volume; a new one gets the image's files of that path.
    fn volume(
        &self,
        name: &str,
        target: &str,
        rw: bool,
        mode: &str,
        image: &Image,
    ) -> Result<MountPoint, DaemonError> {
        let (name, labels) = if name.is_empty() {
            (
                names::random_id(),
                BTreeMap::from([(ANONYMOUS.to_owned(), String::new())]),
            )
        } else {
            (name.to_owned(), BTreeMap::new())
        };
        let (record, new) = self.volumes.ensure(&name, labels)?;
        let data = self.volumes.data(&record.name);
        if new {
            self.tell_volume("create", &name, &[("driver", "local")]);
            super::volume_seed::seed(&image.lowers(&self.store)?, Path::new(target), &data)?;
        }
        Ok(MountPoint {
            kind: "volume".into(),
            name,
            source: data.display().to_string(),
            destination: target.to_owned(),
            driver: "local".into(),
            mode: mode.to_owned(),
            rw,
            propagation: String::new(),
        })
    }

    /// Removes the volumes that were made for a container and nobody named.
    pub(crate) fn remove_anonymous_volumes(&self, record: &ContainerRecord) {
        for mount in record.mounts.iter().filter(|mount| mount.kind == "volume") {
            let anonymous = self
                .volumes
                .find(&mount.name)
                .is_ok_and(|volume| volume.labels.contains_key(ANONYMOUS));
            if !anonymous || self.users_of(&mount.name) > 0 {
                continue;
            }
            match self.volumes.records.remove(&mount.name) {
                Ok(()) => self.tell_volume("destroy", &mount.name, &[("driver", "local")]),
                Err(error) => tracing::warn!("{error}"),
            }
        }
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

/// An absolute, clean path in the container, and not its root.
fn destination(path: &str) -> Result<String, DaemonError> {
    if !path.starts_with('/') {
        let text = format!(
            "invalid volume specification: '{path}': invalid mount config: mount path must be absolute"
        );
        return Err(DaemonError::Invalid(text));
    }
    let clean = Path::new("/").join(kernel::tree::clean(Path::new(path)));
    if clean == Path::new("/") {
        return Err(DaemonError::Invalid(
            "invalid volume specification: destination can't be '/'".into(),
        ));
    }
    Ok(clean.display().to_string())
}
