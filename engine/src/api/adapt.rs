//! What requests of older clients mean today: the API changed, and each version keeps its old meaning.

use serde_json::{Value, json};

use super::error::ApiError;
use super::types::{CreateContainer, HostConfig, ImageSummary};
use super::version::ApiVersion;

/// Brings a request for a container to the newest version.
pub(crate) fn create(request: &mut CreateContainer, version: ApiVersion) -> Result<(), ApiError> {
    let before = |minor: u32| version < ApiVersion::new(1, minor);
    let host = &mut request.host_config;
    if before(25) {
        // The client itself removed the container.
        host.auto_remove = false;
    }
    if before(40) {
        host.kernel_memory_tcp = 0;
        if host.ipc_mode.is_empty() {
            host.ipc_mode = "shareable".into();
        }
    }
    if before(42) {
        // Since then the size of the terminal may be given, and kernel memory may not.
        host.console_size = [0, 0];
    } else {
        host.kernel_memory = 0;
    }
    if before(43) {
        host.annotations.clear();
    }
    for mount in host.mounts.iter_mut().flatten() {
        if before(42) {
            // Older versions did not look whether the options go with the type.
            mount.bind_options = mount.bind_options.take().filter(|_| mount.kind == "bind");
            mount.volume_options = mount
                .volume_options
                .take()
                .filter(|_| mount.kind == "volume");
            mount.tmpfs_options = mount.tmpfs_options.take().filter(|_| mount.kind == "tmpfs");
        }
        if let Some(bind) = &mut mount.bind_options {
            bind.non_recursive &= !before(40);
            bind.create_mountpoint &= !before(42);
            bind.read_only_non_recursive &= !before(44);
            bind.read_only_force_recursive &= !before(44);
        }
        if let Some(volume) = mount.volume_options.as_mut().filter(|_| before(45)) {
            volume.subpath.clear();
        }
    }
    let networks = &request.networking_config.endpoints_config;
    if before(44) && networks.len() > 1 {
        let names: Vec<_> = networks.keys().map(String::as_str).collect();
        return Err(ApiError::bad_request(format!(
            "Container cannot be created with multiple network endpoints: {}",
            names.join(", ")
        )));
    }
    Ok(())
}

/// Brings a request for new limits to the newest version.
pub(crate) fn update(wanted: &mut HostConfig, version: ApiVersion) {
    if version < ApiVersion::new(1, 40) {
        wanted.pids_limit = None;
    }
    if version >= ApiVersion::new(1, 42) {
        wanted.kernel_memory = 0;
    }
}

/// Tells images as versions before 1.44 did: what has no name is called `<none>`, and the size is told twice.
pub(crate) fn images(images: &[ImageSummary], version: ApiVersion) -> Value {
    let mut told = serde_json::to_value(images).expect("answers are plain data");
    for image in told.as_array_mut().into_iter().flatten() {
        if version < ApiVersion::new(1, 44) {
            image["VirtualSize"] = image["Size"].clone();
        }
        let nameless = |list: &Value| list.as_array().is_none_or(Vec::is_empty);
        if version < ApiVersion::new(1, 43)
            && nameless(&image["RepoTags"])
            && nameless(&image["RepoDigests"])
        {
            image["RepoTags"] = json!(["<none>:<none>"]);
            image["RepoDigests"] = json!(["<none>@<none>"]);
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapted(json: serde_json::Value, minor: u32) -> Result<CreateContainer, ApiError> {
        let mut request: CreateContainer = serde_json::from_value(json).unwrap();
        create(&mut request, ApiVersion::new(1, minor)).map(|()| request)
    }

    #[test]
    fn kernel_memory_is_for_older_clients() {
        let json = serde_json::json!({"HostConfig": {"KernelMemory": 7, "IpcMode": ""}});
        let old = adapted(json.clone(), 39).unwrap().host_config;
        assert_eq!((old.kernel_memory, old.ipc_mode.as_str()), (7, "shareable"));
        let new = adapted(json, 45).unwrap().host_config;
        assert_eq!((new.kernel_memory, new.ipc_mode.as_str()), (0, ""));
    }

    #[test]
    fn several_networks_came_with_1_44() {
        let json = serde_json::json!({"NetworkingConfig": {"EndpointsConfig": {"a": {}, "b": {}}}});
        assert!(adapted(json.clone(), 43).is_err());
        assert!(adapted(json, 44).is_ok());
    }
}
