//! Named and anonymous volumes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::api::types::{CreateVolume, PruneReport, Volume, VolumeList, VolumeUsage};
use crate::store::{Durability, Records, StoreError, tree_size};

use super::container::ContainerRecord;
use super::volume_options;
use super::{Daemon, DaemonError, Filters, Force, names};

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
    /// Options of the local driver; none for a plain directory.
    #[serde(default)]
    options: BTreeMap<String, String>,
}

impl VolumeRecord {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether something is mounted in place of a directory of the engine.
    pub(crate) fn has_options(&self) -> bool {
        !self.options.is_empty()
    }
}

/// A volume that is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NewVolume {
    pub(crate) name: String,
    pub(crate) driver: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) options: BTreeMap<String, String>,
}

impl NewVolume {
    /// One that somebody named.
    pub(crate) fn named(name: &str, driver: &str) -> Self {
        Self {
            name: name.to_owned(),
            driver: driver.to_owned(),
            ..Self::default()
        }
    }

    /// One that goes with its container.
    pub(crate) fn anonymous(driver: &str) -> Self {
        Self {
            labels: BTreeMap::from([(ANONYMOUS.to_owned(), String::new())]),
            ..Self::named(&names::random_id(), driver)
        }
    }
}

impl Volumes {
    pub(crate) fn open(dir: &Path) -> Result<Self, DaemonError> {
        let records = Records::open(dir)?;
        records.clear_unfinished()?;
        Ok(Self { records })
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
            labels: (!record.labels.is_empty()).then(|| record.labels.clone()),
            mountpoint: self.data(&record.name).display().to_string(),
            name: record.name.clone(),
            options: record.has_options().then(|| record.options.clone()),
            scope: "local".into(),
            usage_data: None,
        }
    }

    /// The volume of that name, made if missing; tells whether it is new.
    fn ensure(&self, new: NewVolume) -> Result<(VolumeRecord, bool), DaemonError> {
        let name = &new.name;
        if let Ok(record) = self.find(name) {
            return Ok((record, false));
        }
        if !matches!(new.driver.as_str(), "" | "local") {
            return Err(DaemonError::NotFoundText(format!(
                "create {name}: error looking up volume plugin {0}: plugin \"{0}\" not found",
                new.driver
            )));
        }
        if name.chars().count() == 1 {
            return Err(DaemonError::Invalid(format!(
                "create {name}: volume name is too short, names should be at least two alphanumeric characters"
            )));
        }
        if !names::is_valid(name) {
            return Err(DaemonError::Invalid(format!(
                "create {name}: \"{name}\" includes invalid characters for a local volume name, only \
                 \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path"
            )));
        }
        volume_options::check(&new.options)
            .map_err(|why| DaemonError::Invalid(format!("create {name}: {why}")))?;
        let data = self.data(name);
        std::fs::create_dir_all(&data)
            .map_err(DaemonError::io(format!("make {}", data.display())))?;
        let record = VolumeRecord {
            name: name.clone(),
            created: Timestamp::now(),
            labels: new.labels,
            options: new.options,
        };
        self.records.save(name, &record, Durability::PowerCut)?;
        Ok((record, true))
    }
}

impl Daemon {
    /// Makes a volume; one that is there is left as it is.
    pub async fn create_volume(
        self: &Arc<Self>,
        request: CreateVolume,
    ) -> Result<Volume, DaemonError> {
        self.block(move |daemon| {
            let mut new = if request.name.is_empty() {
                NewVolume::anonymous(&request.driver)
            } else {
                NewVolume::named(&request.name, &request.driver)
            };
            new.labels.extend(request.labels);
            new.options = request.driver_opts;
            let (record, _) = daemon.ensure_volume(new)?;
            Ok(daemon.volumes.told(&record))
        })
        .await
    }

    /// The volume of that name, made if missing, and its folder.
    pub(crate) fn ensure_volume(
        &self,
        new: NewVolume,
    ) -> Result<(VolumeRecord, PathBuf), DaemonError> {
        let (record, is_new) = self.volumes.ensure(new)?;
        if is_new {
            self.tell_volume("create", &record.name, &[("driver", "local")]);
        }
        let data = self.volumes.data(&record.name);
        Ok((record, data))
    }

    /// The directory of a volume's content.
    pub(crate) fn volume_dir(&self, name: &str) -> PathBuf {
        self.volumes.data(name)
    }

    /// What is mounted for a volume with options; `None` for a plain directory.
    pub(crate) fn volume_source(&self, name: &str) -> Option<volume_options::Mounted> {
        let record = self.volumes.find(name).ok()?;
        volume_options::mounted(&record.options)
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
            let names = filters.patterns("name");
            let mut volumes = Vec::new();
            for record in daemon.volumes.all()? {
                let unused = daemon.users_of(&record.name) == 0;
                let wanted = dangling.is_none_or(|dangling| dangling == unused)
                    && names.find(&record.name)
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

    /// Removes a volume that no container uses; by force, one that is not there is no error.
    pub async fn remove_volume(
        self: &Arc<Self>,
        name: &str,
        force: Force,
    ) -> Result<(), DaemonError> {
        let name = name.to_owned();
        self.block(move |daemon| {
            match daemon.volumes.find(&name) {
                Err(DaemonError::NotFoundText(_)) if force == Force::Yes => return Ok(()),
                found => found?,
            };
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
        let all = filters.flag("all").map_err(|_| {
            let text = filters.get("all").join(" ");
            DaemonError::Invalid(format!(
                "invalid filter 'all': strconv.ParseBool: parsing {text:?}: invalid syntax"
            ))
        })?;
        let all = all.unwrap_or(false);
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
            daemon.tell_volume("prune", "", &[("reclaimed", &bytes.to_string())]);
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
