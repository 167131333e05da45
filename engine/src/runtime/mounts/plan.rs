//! Decides the steps: pure.

use std::path::{Component, Path, PathBuf};

use super::step::{Bound, Content, Flag, Source, Step};
use crate::runtime::devices;
use crate::runtime::plan::PlanError;
use crate::runtime::request::{
    Access, CapabilitySpec, Manner, MountSource, MountSpec, RunRequest, Sharing,
};

use Flag::{NoDev, NoExec, NoSuid, ReadOnly};

/// What `/proc` and `/sys` would tell or do beyond the container.
pub(crate) const MASKED: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// What a container may read of `/proc` and not write.
pub(crate) const READ_ONLY: [&str; 5] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

const LINKS: [(&str, &str); 6] = [
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
    ("/proc/kcore", "/dev/core"),
    ("pts/ptmx", "/dev/ptmx"),
];

/// Decides the steps of a wish, and which files of the engine they need.
pub(crate) fn plan(request: &RunRequest) -> Result<(Vec<Bound>, Vec<Step>), PlanError> {
    let privileged = request.process.capabilities == CapabilitySpec::All;
    let sys_access = if privileged {
        Access::ReadWrite
    } else {
        Access::ReadOnly
    };
    let mut steps = vec![
        file_system("proc", "/proc", &[], &[NoSuid, NoDev, NoExec]),
        file_system(
            "tmpfs",
            "/dev",
            &[("mode", "755"), ("size", "65536k")],
            &[NoSuid],
        ),
    ];
    steps.extend(devices::USUAL.map(|device| Step::Device {
        name: device.name.to_owned(),
        numbers: device.numbers,
    }));
    steps.extend(links());
    steps.push(file_system("devpts", "/dev/pts", &PTS, &[NoSuid, NoExec]));
    steps.push(file_system(
        "sysfs",
        "/sys",
        &[],
        &match sys_access {
            Access::ReadWrite => vec![NoSuid, NoDev, NoExec],
            Access::ReadOnly => vec![NoSuid, NoDev, NoExec, ReadOnly],
        },
    ));
    steps.push(Step::Cgroups {
        target: "/sys/fs/cgroup".to_owned(),
        access: sys_access,
    });
    if request.namespaces.ipc == Sharing::New {
        steps.push(file_system(
            "mqueue",
            "/dev/mqueue",
            &[],
            &[NoSuid, NoDev, NoExec],
        ));
    }
    let size = if request.shm_size == 0 {
        64 << 20
    } else {
        request.shm_size
    };
    let shm = [("mode", "1777"), ("size", &size.to_string())];
    steps.push(file_system(
        "tmpfs",
        "/dev/shm",
        &shm,
        &[NoSuid, NoDev, NoExec],
    ));
    if privileged {
        steps.push(Step::AllDevices);
    }
    let mut sources = Vec::new();
    for mount in &request.mounts {
        steps.push(volume(mount, &mut sources)?);
    }
    for device in &request.devices {
        let target = absolute(&device.target)?;
        steps.push(Step::Bind {
            source: Source::Machine(device.source.clone()),
            target,
            access: Access::ReadWrite,
            manner: Manner::default(),
        });
    }
    for (name, value) in &request.sysctls {
        steps.push(sysctl(name, value)?);
    }
    let usual = |list: &[&str]| -> Vec<String> {
        let list = if privileged { &[] } else { list };
        list.iter().map(|&path| path.to_owned()).collect()
    };
    let read_only = request
        .readonly_paths
        .clone()
        .unwrap_or_else(|| usual(&READ_ONLY));
    let masked = request
        .masked_paths
        .clone()
        .unwrap_or_else(|| usual(&MASKED));
    steps.extend(read_only.into_iter().map(Step::ReadOnly));
    steps.extend(masked.into_iter().map(Step::Mask));
    Ok((sources, steps))
}

/// Makes `/sys` read-only: in a stage it is, for everybody, and the kernel lets nobody mount one that shows or allows
/// more than those that are there; see mount_namespaces(7) and `mount_too_revealing` in fs/namespace.c.
pub(crate) fn show_no_more_of_sysfs(steps: &mut [Step]) {
    for step in steps {
        if let Step::Mount { kind, flags, .. } = step
            && kind == "sysfs"
            && !flags.contains(&ReadOnly)
        {
            flags.push(ReadOnly);
        }
    }
}

/// The links in every `/dev`.
pub(crate) fn links() -> [Step; 6] {
    LINKS.map(|(to, path)| Step::Link {
        to: to.to_owned(),
        path: path.to_owned(),
    })
}

const PTS: [(&str, &str); 4] = [
    ("newinstance", ""),
    ("ptmxmode", "0666"),
    ("mode", "0620"),
    ("gid", "5"),
];

fn file_system(kind: &str, target: &str, options: &[(&str, &str)], flags: &[Flag]) -> Step {
    let owned = |&(key, value): &(&str, &str)| (key.to_owned(), value.to_owned());
    Step::Mount {
        kind: kind.to_owned(),
        target: target.to_owned(),
        options: options.iter().map(owned).collect(),
        flags: flags.to_vec(),
        propagation: None,
        content: Content::Fresh,
    }
}

fn volume(mount: &MountSpec, sources: &mut Vec<Bound>) -> Result<Step, PlanError> {
    let target = absolute(&mount.target)?;
    if Path::new(&target).starts_with("/proc") {
        return Err(PlanError::OverProc(target));
    }
    let source = match &mount.source {
        MountSource::Engine(path) => {
            sources.push(Bound::whole(path.clone()));
            Source::Engine(sources.len() - 1)
        }
        MountSource::Inside { root, path } => {
            sources.push(Bound {
                inside: Some(path.clone()),
                ..Bound::whole(root.clone())
            });
            Source::Engine(sources.len() - 1)
        }
        MountSource::Machine(path) => Source::Machine(path.clone()),
        MountSource::Tmpfs(options) => return tmpfs(&target, options, mount.access),
    };
    Ok(Step::Bind {
        source,
        target,
        access: mount.access,
        manner: mount.manner,
    })
}

fn tmpfs(target: &str, options: &str, access: Access) -> Result<Step, PlanError> {
    let mut flags = vec![NoSuid, NoDev, NoExec];
    if access == Access::ReadOnly {
        flags.push(ReadOnly);
    }
    let mut settings = Vec::new();
    for word in options.split(',').filter(|word| !word.is_empty()) {
        match (word, word.split_once('=')) {
            ("rw", _) => flags.retain(|&f| f != ReadOnly),
            ("ro", _) => flags.push(ReadOnly),
            ("exec", _) => flags.retain(|&f| f != NoExec),
            ("suid", _) => flags.retain(|&f| f != NoSuid),
            ("dev", _) => flags.retain(|&f| f != NoDev),
            ("noexec" | "nosuid" | "nodev", _) => {}
            (_, Some((key @ ("size" | "mode" | "uid" | "gid" | "nr_inodes"), value))) => {
                settings.push((key.to_owned(), value.to_owned()));
            }
            _ => {
                return Err(PlanError::Invalid {
                    what: "tmpfs option",
                    value: word.to_owned(),
                });
            }
        }
    }
    if !settings.iter().any(|(key, _)| key == "mode") {
        settings.push(("mode".to_owned(), "1777".to_owned()));
    }
    Ok(Step::Mount {
        kind: "tmpfs".to_owned(),
        target: target.to_owned(),
        options: settings,
        flags,
        propagation: None,
        content: Content::Fresh,
    })
}

/// Only parameters that belong to a namespace the container has for itself may be set.
fn sysctl(name: &str, value: &str) -> Result<Step, PlanError> {
    const IPC: [&str; 9] = [
        "kernel.msgmax",
        "kernel.msgmnb",
        "kernel.msgmni",
        "kernel.sem",
        "kernel.shmall",
        "kernel.shmmax",
        "kernel.shmmni",
        "kernel.shm_rmid_forced",
        "kernel.domainname",
    ];
    let own = IPC.contains(&name) || name.starts_with("net.") || name.starts_with("fs.mqueue.");
    let plain = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
    if !own || !plain || name.contains("..") {
        return Err(PlanError::Invalid {
            what: "sysctl",
            value: name.to_owned(),
        });
    }
    Ok(Step::Sysctl {
        name: name.to_owned(),
        value: value.to_owned(),
    })
}

/// A path from the root without `.` and `..`, which would be looked up in the image's own links.
pub(crate) fn absolute(path: &str) -> Result<String, PlanError> {
    let invalid = || PlanError::Invalid {
        what: "mount path",
        value: path.to_owned(),
    };
    let mut clean = PathBuf::from("/");
    for part in Path::new(path).components() {
        match part {
            Component::RootDir | Component::CurDir => {}
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => {
                clean.pop();
            }
            Component::Prefix(_) => return Err(invalid()),
        }
    }
    if !path.starts_with('/') || path.contains('\0') || clean == Path::new("/") {
        return Err(invalid());
    }
    Ok(clean.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(mounts: &[(&str, MountSource)]) -> RunRequest {
        RunRequest {
            mounts: mounts
                .iter()
                .map(|(target, source)| MountSpec {
                    target: (*target).to_owned(),
                    source: source.clone(),
                    access: Access::ReadWrite,
                    manner: Manner::default(),
                })
                .collect(),
            ..RunRequest::default()
        }
    }

    #[test]
    fn masks_come_after_the_volumes() {
        let volume = MountSource::Engine("/disk/v".into());
        let (sources, steps) = plan(&request(&[("/data", volume)])).unwrap();
        assert_eq!(sources, [Bound::whole("/disk/v".into())]);
        let place = |wanted: &dyn Fn(&Step) -> bool| steps.iter().position(wanted).unwrap();
        let bind = place(&|s| matches!(s, Step::Bind { .. }));
        let mask = place(&|s| matches!(s, Step::Mask(_)));
        assert!(bind < mask);
    }

    #[test]
    fn nothing_is_mounted_over_proc() {
        for target in ["/proc", "/proc/self/attr", "/x/../proc/sys", "//proc"] {
            let tmpfs = MountSource::Tmpfs(String::new());
            let error = plan(&request(&[(target, tmpfs)])).unwrap_err();
            assert!(matches!(error, PlanError::OverProc(_)), "{target}");
        }
    }

    #[test]
    fn a_relative_or_empty_target_is_refused() {
        for target in ["", "/", "data", "/.."] {
            let tmpfs = MountSource::Tmpfs(String::new());
            assert!(plan(&request(&[(target, tmpfs)])).is_err(), "{target}");
        }
    }

    #[test]
    fn a_privileged_container_has_no_mask() {
        let mut request = request(&[]);
        request.process.capabilities = CapabilitySpec::All;
        let (_, steps) = plan(&request).unwrap();
        assert!(
            !steps
                .iter()
                .any(|s| matches!(s, Step::Mask(_) | Step::ReadOnly(_)))
        );
    }

    #[test]
    fn a_sysctl_of_the_host_is_refused() {
        assert!(sysctl("net.ipv4.ip_forward", "1").is_ok());
        assert!(sysctl("kernel.core_pattern", "|/x").is_err());
        assert!(sysctl("net./../kernel/core_pattern", "x").is_err());
    }
}
