//! Fields of documents that hold nothing: what kind of thing is not there.
//!
//! Go knows from a field's type whether `null` is an empty list, an empty map or no object at
//! all, and prints each in its own way; JSON does not say, so the API's names are listed here.

/// Fields that are left out of a document when there is nothing to say.
const OPTIONAL: [&str; 14] = [
    "Annotations",
    "ExposedPorts",
    "Health",
    "Healthcheck",
    "Init",
    "Mounts",
    "Runtimes",
    "Shell",
    "SizeRootFs",
    "SizeRw",
    "StopTimeout",
    "StorageOpt",
    "Sysctls",
    "Tmpfs",
];

/// Fields that hold one object or number.
const SINGLE: [&str; 12] = [
    "ClusterVolume",
    "Health",
    "Healthcheck",
    "IPAMConfig",
    "Init",
    "MemorySwappiness",
    "OomKillDisable",
    "PidsLimit",
    "SizeRootFs",
    "SizeRw",
    "StopTimeout",
    "UsageData",
];

/// Fields that hold a map.
const MAPS: [&str; 16] = [
    "Annotations",
    "Config",
    "Containers",
    "DriverOpts",
    "ExposedPorts",
    "Labels",
    "Networks",
    "Options",
    "PortBindings",
    "Ports",
    "Runtimes",
    "Status",
    "StorageOpt",
    "Sysctls",
    "Tmpfs",
    "Volumes",
];

/// Whether a document may lack the field without being wrong.
pub(super) fn known(name: &str) -> bool {
    OPTIONAL.contains(&name)
}

/// How Go prints nothing in this field.
pub(super) fn shown(name: &str) -> &'static str {
    if SINGLE.contains(&name) {
        "<nil>"
    } else if MAPS.contains(&name) {
        "map[]"
    } else {
        "[]"
    }
}
