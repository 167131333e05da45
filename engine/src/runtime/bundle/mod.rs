//! From the `config.json` of a bundle to a plan: pure, so that every decision can be tested.
//!
//! Reading order: [`plan`] says what a container is in the words of the specification. What the
//! specification knows and this runtime cannot honour is an error that names the property.

mod affinity;
mod devices;
mod filter;
mod hooks;
mod mounts;
mod namespaces;
mod process;
mod resources;

use std::path::{Path, PathBuf};

use crate::logs::spec::LogSpec;
use crate::oci::runtime_spec::Spec;
use crate::runtime::plan::{Entrance, Plan};
use crate::runtime::request::{Access, InitProcess, Root};
use crate::runtime::seccomp::FilterError;
use crate::stage::Stage;

pub use affinity::{Affinity, affinity};
pub(super) use mounts::may_be_covered;
pub use process::plan as process;
pub use resources::{limits as resources, limits_kernel_memory};

/// A bundle that cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// Something that must be there is not.
    #[error("config.json has no {0}")]
    Missing(&'static str),
    /// A value makes no sense.
    #[error("config.json: invalid {what}: {value:?}")]
    Invalid {
        /// The property.
        what: &'static str,
        /// Its value.
        value: String,
    },
    /// The specification has it, this runtime has not.
    #[error("config.json: {0} is not supported by this runtime")]
    Unsupported(String),
    /// A mount would hide or change what isolates the container.
    #[error("{0:?} cannot be mounted because it is inside /proc")]
    InsideProc(String),
    /// The filter cannot be compiled.
    #[error("cannot compile the seccomp filter: {0}")]
    Filter(#[from] FilterError),
}

/// What the command line decides about a container.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Its id.
    pub id: String,
    /// The directory of the bundle, absolute.
    pub bundle: PathBuf,
    /// Where the state of the container is kept.
    pub directory: PathBuf,
    /// Pivot, or chroot (`--no-pivot`).
    pub entrance: Entrance,
    /// How many descriptors beyond the three the program inherits (`--preserve-fds`).
    pub passed: u32,
    /// Whether it has a session keyring of its own.
    pub keyring: crate::runtime::process::Keyring,
}

/// Decides what is done for a bundle.
pub fn plan(spec: &Spec, wish: &Wish) -> Result<Plan, BundleError> {
    let root = spec.root().as_ref().ok_or(BundleError::Missing("root"))?;
    let linux = spec.linux().as_ref().ok_or(BundleError::Missing("linux"))?;
    refuse(spec)?;
    let spaces = namespaces::plan(spec)?;
    let made = mounts::plan(spec, wish, &spaces)?;
    let process = spec.process().as_ref();
    let process = process.ok_or(BundleError::Missing("process"))?;
    let mut process = process::plan(process, spec)?;
    process.special.passed = wish.passed;
    process.special.keyring = wish.keyring;
    if let Some(listener) = &mut process.special.listener {
        listener.subject = hooks::subject(spec, wish);
        "creating".clone_into(&mut listener.status);
    }
    let linux_resources = linux.resources().clone().unwrap_or_else(empty_resources);
    let (limits, rules) = resources::limits(&linux_resources)?;
    Ok(Plan {
        id: wish.id.clone(),
        directory: wish.directory.clone(),
        stage: Stage::Host,
        namespaces: spaces.sharing,
        joins: spaces.joins,
        user: spaces.user,
        clocks: spaces.clocks,
        cgroup: cgroup(linux.cgroups_path().as_deref(), &wish.id)?,
        resources: limits,
        devices: Some(rules),
        root: Root {
            lower: vec![wish.bundle.join(root.path())],
            writable: None,
            access: match root.readonly() {
                Some(true) => Access::ReadOnly,
                _ => Access::ReadWrite,
            },
        },
        sources: made.sources,
        steps: made.steps,
        entrance: if spaces.mount_joined {
            Entrance::Stay
        } else {
            wish.entrance
        },
        propagation: made.propagation,
        hooks: hooks::plan(spec, wish)?,
        hostname: spec.hostname().clone().unwrap_or_default(),
        domainname: spec.domainname().clone().unwrap_or_default(),
        process,
        init: InitProcess::Program,
        log: LogSpec::None,
    })
}

fn empty_resources() -> crate::oci::runtime_spec::LinuxResources {
    crate::oci::runtime_spec::LinuxResources::default()
}

/// What the specification knows and this runtime cannot do.
fn refuse(spec: &Spec) -> Result<(), BundleError> {
    let unsupported = |name: &str| Err(BundleError::Unsupported(name.to_owned()));
    let Some(linux) = spec.linux() else {
        return Ok(());
    };
    if linux.intel_rdt().is_some() {
        return unsupported("linux.intelRdt");
    }
    if linux.memory_policy().is_some() {
        return unsupported("linux.memoryPolicy");
    }
    if linux
        .net_devices()
        .as_ref()
        .is_some_and(|devices| !devices.is_empty())
    {
        return unsupported("linux.netDevices");
    }
    if linux
        .mount_label()
        .as_ref()
        .is_some_and(|label| !label.is_empty())
    {
        return unsupported("linux.mountLabel (SELinux)");
    }
    if spec.vm().is_some() {
        return unsupported("vm");
    }
    Ok(())
}

/// The group of a container, below the root of every hierarchy.
fn cgroup(path: Option<&Path>, id: &str) -> Result<PathBuf, BundleError> {
    let Some(path) = path.filter(|path| !path.as_os_str().is_empty()) else {
        return Ok(PathBuf::from(id));
    };
    let text = path.to_string_lossy();
    if !text.contains('/') && text.matches(':').count() == 2 {
        let words = "linux.cgroupsPath of the form slice:prefix:name (systemd)";
        return Err(BundleError::Unsupported(words.to_owned()));
    }
    // Cleaned as a path from the root: nothing climbs above it.
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::Normal(name) => clean.push(name),
            std::path::Component::ParentDir => {
                clean.pop();
            }
            _ => {}
        }
    }
    if clean.as_os_str().is_empty() {
        return Err(BundleError::Invalid {
            what: "linux.cgroupsPath",
            value: text.into_owned(),
        });
    }
    Ok(clean)
}

fn text_without_nul(what: &'static str, text: &str) -> Result<(), BundleError> {
    if text.contains('\0') {
        return Err(BundleError::Invalid {
            what,
            value: text.to_owned(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
