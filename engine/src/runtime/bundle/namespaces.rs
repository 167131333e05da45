//! Which namespaces are made, joined, or left as they are.

use super::BundleError;
use crate::oci::runtime_spec::{LinuxIdMapping, LinuxNamespaceType, Spec};
use crate::runtime::namespaces::{Clock, Extent, Join, Kind, UserNamespace};
use crate::runtime::request::{Namespaces, Sharing};

/// What a bundle says about namespaces.
#[derive(Debug, Default)]
pub(super) struct Spaces {
    /// The usual ones: made, or left as they are.
    pub(super) sharing: Namespaces,
    /// Joined by path.
    pub(super) joins: Vec<Join>,
    /// A user namespace of its own.
    pub(super) user: Option<UserNamespace>,
    /// A time namespace of its own.
    pub(super) clocks: Option<Vec<Clock>>,
    /// Whether the mounts are somebody else's.
    pub(super) mount_joined: bool,
}

pub(super) fn plan(spec: &Spec) -> Result<Spaces, BundleError> {
    let linux = spec.linux().as_ref().ok_or(BundleError::Missing("linux"))?;
    let mut spaces = Spaces {
        sharing: Namespaces {
            pid: Sharing::Host,
            ipc: Sharing::Host,
            uts: Sharing::Host,
            net: Sharing::Host,
            cgroup: Sharing::Host,
        },
        ..Spaces::default()
    };
    let mut mount = false;
    let mut seen = Vec::new();
    for namespace in linux.namespaces().iter().flatten() {
        let kind = kind(namespace.typ());
        if seen.contains(&kind) {
            return Err(invalid("linux.namespaces (twice)", format!("{kind:?}")));
        }
        seen.push(kind);
        mount |= kind == Kind::Mount;
        if let Some(path) = namespace
            .path()
            .clone()
            .filter(|p| !p.as_os_str().is_empty())
        {
            spaces.mount_joined |= kind == Kind::Mount;
            spaces.joins.push(Join { kind, path });
            continue;
        }
        match kind {
            Kind::Pid => spaces.sharing.pid = Sharing::New,
            Kind::Ipc => spaces.sharing.ipc = Sharing::New,
            Kind::Uts => spaces.sharing.uts = Sharing::New,
            Kind::Network => spaces.sharing.net = Sharing::New,
            Kind::Cgroup => spaces.sharing.cgroup = Sharing::New,
            Kind::User => spaces.user = Some(user(spec)?),
            Kind::Time => spaces.clocks = Some(clocks(spec)?),
            Kind::Mount => {}
        }
    }
    if !mount {
        return Err(BundleError::Missing("mount namespace"));
    }
    let offsets = linux.time_offsets().as_ref();
    if offsets.is_some_and(|o| !o.is_empty()) && spaces.clocks.is_none() {
        return Err(BundleError::Missing(
            "time namespace of its own for timeOffsets",
        ));
    }
    let has = |text: &Option<String>| text.as_ref().is_some_and(|t| !t.is_empty());
    let named = has(spec.hostname()) || has(spec.domainname());
    if named && !seen.contains(&Kind::Uts) {
        return Err(BundleError::Missing("UTS namespace for a hostname"));
    }
    Ok(spaces)
}

fn kind(of: LinuxNamespaceType) -> Kind {
    match of {
        LinuxNamespaceType::Mount => Kind::Mount,
        LinuxNamespaceType::Cgroup => Kind::Cgroup,
        LinuxNamespaceType::Uts => Kind::Uts,
        LinuxNamespaceType::Ipc => Kind::Ipc,
        LinuxNamespaceType::User => Kind::User,
        LinuxNamespaceType::Pid => Kind::Pid,
        LinuxNamespaceType::Network => Kind::Network,
        LinuxNamespaceType::Time => Kind::Time,
    }
}

fn user(spec: &Spec) -> Result<UserNamespace, BundleError> {
    let linux = spec.linux().as_ref().ok_or(BundleError::Missing("linux"))?;
    let users = extents(linux.uid_mappings().as_deref().unwrap_or_default());
    let groups = extents(linux.gid_mappings().as_deref().unwrap_or_default());
    if users.is_empty() || groups.is_empty() {
        return Err(BundleError::Missing(
            "uidMappings and gidMappings for its user namespace",
        ));
    }
    Ok(UserNamespace { users, groups })
}

/// The lines of an id map.
pub(super) fn extents(mappings: &[LinuxIdMapping]) -> Vec<Extent> {
    let extent = |mapping: &LinuxIdMapping| Extent {
        inside: mapping.container_id(),
        outside: mapping.host_id(),
        count: mapping.size(),
    };
    mappings.iter().map(extent).collect()
}

fn clocks(spec: &Spec) -> Result<Vec<Clock>, BundleError> {
    let linux = spec.linux().as_ref().ok_or(BundleError::Missing("linux"))?;
    let mut clocks = Vec::new();
    for (name, offset) in linux.time_offsets().iter().flatten() {
        if !matches!(name.as_str(), "monotonic" | "boottime") {
            return Err(invalid("linux.timeOffsets", name.clone()));
        }
        clocks.push(Clock {
            name: name.clone(),
            seconds: offset.secs().unwrap_or(0),
            nanoseconds: offset.nanosecs().unwrap_or(0),
        });
    }
    clocks.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(clocks)
}

fn invalid(what: &'static str, value: String) -> BundleError {
    BundleError::Invalid { what, value }
}
