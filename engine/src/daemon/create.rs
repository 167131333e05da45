//! `create`: a request and an image become a record. No process exists yet.

use std::sync::Arc;

use crate::api::types::{
    ContainerConfig, ContainerCreated, CreateContainer, Empty, HealthConfig, HostConfig,
};
use crate::image::Image;
use crate::oci::RunConfig;

use super::admit::Occasion;
use super::container::{Container, ContainerRecord};
use super::metrics::Action;
use super::sysinfo::{Offer, SysInfo};
use super::{Daemon, DaemonError, admit, names};

impl Daemon {
    /// Creates a container.
    pub async fn create(
        self: &Arc<Self>,
        name: Option<String>,
        request: CreateContainer,
    ) -> Result<ContainerCreated, DaemonError> {
        self.block(move |daemon| daemon.create_now(name, request))
            .await
    }

    fn create_now(
        self: &Arc<Self>,
        name: Option<String>,
        request: CreateContainer,
    ) -> Result<ContainerCreated, DaemonError> {
        let _timer = self.metrics.time(Action::Create);
        let CreateContainer {
            mut config,
            mut host_config,
            networking_config,
        } = request;
        check(&host_config)?;
        self.check_runtime(&host_config.runtime)?;
        let mut warnings = Vec::new();
        admit::config(&config)?;
        warnings.extend(admit::host(&config, &host_config)?);
        let info = SysInfo::detect();
        warnings.extend(admit::limits(&mut host_config, &info, Occasion::Create)?);
        admit::mounts(&host_config)?;
        if config.image.is_empty() {
            return Err(DaemonError::Invalid("no command specified".into()));
        }
        let image = Image::find(&self.store, &config.image)?;
        merge(&mut config, &image.config.config);
        if let Some(check) = &config.healthcheck {
            super::health::check(check)?;
        }
        if config.cmd.as_ref().is_none_or(Vec::is_empty)
            && config.entrypoint.as_ref().is_none_or(Vec::is_empty)
        {
            return Err(DaemonError::Invalid("no command specified".into()));
        }
        self.defaults(&mut host_config);
        fill(&mut host_config, &info);
        self.choose_log(&mut host_config)?;
        let id = names::random_id();
        if config.hostname.is_empty()
            && host_config.uts_mode != "host"
            && host_config.network_mode != "host"
        {
            config.hostname = id[..12].to_owned();
        }
        let mut record = ContainerRecord::new(id, image.id.clone(), config, host_config);
        record.layers = image.chains();
        let places = self.wanted_endpoints(&record, networking_config.endpoints_config)?;
        record.endpoints = places.endpoints;
        record.attachments = places.attachments;
        let container = self.reserve(name, record)?;
        let finished = self.finish(&container, &image);
        if let Err(error) = finished {
            self.containers
                .write()
                .expect("no panic while holding it")
                .remove(&container.id);
            if let Err(second) = self.records.remove(&container.id) {
                tracing::warn!("{second}");
            }
            return Err(error);
        }
        self.tell(&container.record(), "create", &[]);
        Ok(ContainerCreated {
            id: container.id.clone(),
            warnings,
        })
    }

    /// What the engine's configuration gives to containers that do not say.
    fn defaults(&self, host: &mut HostConfig) {
        let life = &self.config.life;
        if host.shm_size == 0 {
            host.shm_size = life.shm_size;
        }
        let options = host.security_opt.get_or_insert_default();
        let says = options
            .iter()
            .any(|option| option.starts_with("no-new-privileges"));
        if life.no_new_privileges && !says {
            options.push("no-new-privileges".into());
        }
        if options.is_empty() {
            host.security_opt = None;
        }
        let defaults = &self.config.defaults;
        let choose = |field: &mut String, usual: &String| {
            if field.is_empty() {
                field.clone_from(usual);
            }
        };
        choose(&mut host.runtime, &defaults.runtime);
        choose(&mut host.cgroup_parent, &defaults.cgroup_parent);
        choose(&mut host.cgroupns_mode, &defaults.cgroupns_mode);
        choose(&mut host.ipc_mode, &defaults.ipc_mode);
    }

    /// Every runtime is this engine, by another name; one that nobody has named is a mistake.
    fn check_runtime(&self, name: &str) -> Result<(), DaemonError> {
        let known = &self.config.defaults.runtimes;
        if name.is_empty() || known.iter().any(|known| known == name) {
            return Ok(());
        }
        Err(DaemonError::Invalid(format!(
            "unknown or invalid runtime name: {name}"
        )))
    }

    /// The engine's driver, and its options where the client has none of its own.
    fn choose_log(&self, host: &mut HostConfig) -> Result<(), DaemonError> {
        let log = &mut host.log_config;
        if log.kind.is_empty() {
            log.kind.clone_from(&self.config.life.log_driver);
        }
        if log.kind == self.config.life.log_driver {
            for (name, value) in &self.config.life.log_opts {
                let own = log.config.entry(name.clone());
                own.or_insert_with(|| value.clone());
            }
        }
        super::log_driver::check(&log.kind, &log.config)
    }

    /// Takes the name and makes the container visible: of two that want one name, one wins.
    fn reserve(
        &self,
        name: Option<String>,
        mut record: ContainerRecord,
    ) -> Result<Arc<Container>, DaemonError> {
        let mut containers = self.containers.write().expect("no panic while holding it");
        let holder = |name: &str| {
            containers
                .values()
                .find(|other| other.lock().record.name == name)
        };
        record.name = match name
            .as_deref()
            .map(|name| name.strip_prefix('/').unwrap_or(name))
        {
            None | Some("") => names::random(|name| holder(name).is_some()),
            Some(name) => {
                check_name(name)?;
                if let Some(other) = holder(name) {
                    return Err(name_taken(name, &other.id));
                }
                name.to_owned()
            }
        };
        let container = Arc::new(Container::new(record));
        containers.insert(container.id.clone(), Arc::clone(&container));
        Ok(container)
    }

    /// Makes the writable layer and the volumes, then the record: its presence says that all is there.
    fn finish(&self, container: &Arc<Container>, image: &Image) -> Result<(), DaemonError> {
        let dir = self.container_dir(&container.id);
        for part in ["upper", "work"] {
            let path = dir.join(part);
            std::fs::create_dir_all(&path)
                .map_err(DaemonError::io(format!("make {}", path.display())))?;
        }
        self.copy_root_attributes(image, &dir.join("upper"))?;
        self.make_init_layer(&container.record())?;
        let mounts = self.resolve_mounts(&container.record(), image)?;
        container.lock().record.mounts = mounts;
        self.save(container)
    }

    /// The root directory of an overlay is its upper directory, so that one gets the image's mode and owner.
    fn copy_root_attributes(
        &self,
        image: &Image,
        upper: &std::path::Path,
    ) -> Result<(), DaemonError> {
        use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
        let Some(top) = image.lowers(&self.store)?.into_iter().next() else {
            return Ok(());
        };
        let fail = || DaemonError::io(format!("prepare {}", upper.display()));
        let metadata = std::fs::metadata(&top).map_err(fail())?;
        chown(upper, Some(metadata.uid()), Some(metadata.gid())).map_err(fail())?;
        let permissions = std::fs::Permissions::from_mode(metadata.mode() & 0o7777);
        std::fs::set_permissions(upper, permissions).map_err(fail())
    }

    /// Gives a container another name.
    pub async fn rename(self: &Arc<Self>, text: &str, name: &str) -> Result<(), DaemonError> {
        let container = self.container(text)?;
        let name = name.strip_prefix('/').unwrap_or(name).to_owned();
        if container.lock().record.name == name {
            return Err(DaemonError::Invalid(
                "Renaming a container with the same name as its current name".into(),
            ));
        }
        let refused = |why: DaemonError| match why {
            DaemonError::Conflict(why) => {
                DaemonError::Conflict(format!("Error when allocating new name: {why}"))
            }
            why => DaemonError::Invalid(format!("Error when allocating new name: {why}")),
        };
        check_name(&name).map_err(|_| refused(bad_name(&format!("/{name}"))))?;
        let old = {
            let containers = self.containers.write().expect("no panic while holding it");
            let holder = containers
                .values()
                .find(|other| other.lock().record.name == name);
            if let Some(other) = holder {
                return Err(refused(name_taken(&name, &other.id)));
            }
            std::mem::replace(&mut container.lock().record.name, name)
        };
        self.block(move |daemon| {
            daemon.rename_in_networks(&container);
            daemon.save(&container)?;
            daemon.tell(
                &container.record(),
                "rename",
                &[("oldName", format!("/{old}"))],
            );
            Ok(())
        })
        .await
    }
}

fn check_name(name: &str) -> Result<(), DaemonError> {
    if names::is_valid(name) {
        return Ok(());
    }
    Err(bad_name(name))
}

fn bad_name(shown: &str) -> DaemonError {
    DaemonError::Invalid(format!(
        "Invalid container name ({shown}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
    ))
}

fn name_taken(name: &str, holder: &str) -> DaemonError {
    DaemonError::Conflict(format!(
        "Conflict. The container name \"/{name}\" is already in use by container \"{holder}\". \
         You have to remove (or rename) that container to be able to reuse that name."
    ))
}

/// What the request leaves out comes from the image.
fn merge(config: &mut ContainerConfig, image: &RunConfig) {
    if config.user.is_empty() {
        config.user.clone_from(&image.user);
    }
    if config.working_dir.is_empty() {
        config.working_dir.clone_from(&image.working_dir);
    }
    if config.stop_signal.is_empty() {
        config.stop_signal.clone_from(&image.stop_signal);
    }
    // A new entry point does not get the old one's arguments.
    if config.entrypoint.is_none() {
        config.entrypoint.clone_from(&image.entrypoint);
        if config.cmd.as_ref().is_none_or(Vec::is_empty) {
            config.cmd.clone_from(&image.cmd);
        }
    } else if config.entrypoint.as_deref() == Some(&[String::new()]) {
        config.entrypoint = None;
    }
    let name = |variable: &str| {
        variable
            .split_once('=')
            .map_or(variable, |(name, _)| name)
            .to_owned()
    };
    let given: Vec<String> = config.env.iter().map(|variable| name(variable)).collect();
    let inherited = image
        .env
        .iter()
        .flatten()
        .filter(|variable| !given.contains(&name(variable)));
    config.env.extend(inherited.cloned());
    for (label, value) in image.labels.iter().flatten() {
        config
            .labels
            .entry(label.clone())
            .or_insert_with(|| value.clone());
    }
    for port in image.exposed_ports.iter().flat_map(|ports| ports.keys()) {
        config.exposed_ports.entry(port.clone()).or_insert(Empty {});
    }
    if let Some(volumes) = &image.volumes {
        let wanted = config.volumes.get_or_insert_default();
        wanted.extend(volumes.keys().map(|path| (path.clone(), Empty {})));
    }
    if let Some(check) = &image.healthcheck
        && let Ok(check) = serde_json::from_value::<HealthConfig>(check.clone())
    {
        super::health::inherit(config.healthcheck.get_or_insert_default(), check);
    }
}

/// Docker writes these words into the record when the client left them out.
pub(super) fn fill(host: &mut HostConfig, info: &SysInfo) {
    let default = |field: &mut String, word: &str| {
        if field.is_empty() {
            word.clone_into(field);
        }
    };
    default(&mut host.network_mode, "bridge");
    if host.network_mode == "default" {
        host.network_mode = "bridge".to_owned();
    }
    default(&mut host.ipc_mode, "private");
    default(&mut host.cgroupns_mode, "private");
    default(&mut host.restart_policy.name, "no");
    default(&mut host.runtime, super::config_defaults::RUNTIMES[0]);
    if host.shm_size == 0 {
        host.shm_size = 64 << 20;
    }
    if host.memory > 0 && host.memory_swap == 0 {
        host.memory_swap = host.memory.saturating_mul(2);
    }
    if info.has(Offer::OomKillDisable) {
        host.oom_kill_disable.get_or_insert(false);
    }
    host.pids_limit = host.pids_limit.filter(|limit| *limit > 0);
}

/// Refuses what this engine cannot do, rather than forgetting it.
fn check(host: &HostConfig) -> Result<(), DaemonError> {
    super::restart::check(host)?;
    if host.auto_remove && !matches!(host.restart_policy.name.as_str(), "" | "no") {
        return Err(DaemonError::Invalid(
            "can't create 'AutoRemove' container with restart policy".into(),
        ));
    }
    if !host.storage_opt.is_empty() {
        return Err(DaemonError::Refused(
            "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"
                .into(),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> RunConfig {
        RunConfig {
            env: Some(vec!["PATH=/bin".into(), "A=image".into()]),
            entrypoint: Some(vec!["/entry".into()]),
            cmd: Some(vec!["default".into()]),
            ..RunConfig::default()
        }
    }

    #[test]
    fn the_requests_variables_win() {
        let mut config = ContainerConfig {
            env: vec!["A=mine".into()],
            ..ContainerConfig::default()
        };
        merge(&mut config, &image());
        assert_eq!(config.env, ["A=mine", "PATH=/bin"]);
    }

    #[test]
    fn an_own_entry_point_forgets_the_images_arguments() {
        let mut config = ContainerConfig {
            entrypoint: Some(vec!["sh".into()]),
            ..ContainerConfig::default()
        };
        merge(&mut config, &image());
        assert_eq!(config.cmd, None);
        let mut config = ContainerConfig {
            cmd: Some(vec!["x".into()]),
            ..ContainerConfig::default()
        };
        merge(&mut config, &image());
        assert_eq!(config.entrypoint.unwrap(), ["/entry"]);
        assert_eq!(config.cmd.unwrap(), ["x"]);
    }
}
