//! The questions. Those that need root answer "unknown" when they cannot be asked.

use std::ffi::CString;
use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use kernel::cgroup::{Layout, Version};
use kernel::error::SysError;
use kernel::fs::Dir;
use kernel::mount::{Change, Depth, FileSystem, change_detached, clone_tree};
use kernel::namespace::{IdMap, Namespaces, write_id_maps};
use kernel::process::{Child, Exit, Forked, Parent, Patience, Signal};
use kernel::process::{effective_uid, exit, fork, pidfd_send_signal, wait};

use super::finding::{Finding, Level};

/// The oldest kernel on which the platform is tested.
const OLDEST: (u32, u32) = (6, 1);
/// Fewer user namespaces than that do not carry a handful of machines.
const USER_NAMESPACES: u64 = 256;
const GIB: u64 = 1 << 30;

/// Asks everything, in the order in which it is shown.
pub(super) fn questions(data: &Path) -> Vec<Finding> {
    let mut answers = vec![root(), kernel(), user_namespaces()];
    answers.extend(restriction());
    answers.push(idmap(data));
    answers.push(overlay());
    answers.extend(cgroups());
    answers.extend([
        seccomp(),
        apparmor(),
        loop_devices(),
        mke2fs(),
        disk(data),
        memory(),
        images(data),
    ]);
    answers.extend(super::links::questions());
    answers.extend(super::rootless::questions());
    answers
}

fn root() -> Finding {
    let level = if effective_uid() == 0 {
        Level::Good
    } else {
        Level::Unknown
    };
    Finding::new("root", level)
}

fn kernel() -> Finding {
    let release = read("/proc/sys/kernel/osrelease");
    let recent = version(&release).is_some_and(|found| found >= OLDEST);
    let level = if recent { Level::Good } else { Level::Fail };
    Finding::new("kernel", level)
        .with("release", release)
        .with("oldest", format!("{}.{}", OLDEST.0, OLDEST.1))
}

/// `6.1.0-18-amd64` → (6, 1).
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(['.', '-', '+']).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// Makes a user namespace, and lets it go.
fn user_namespaces() -> Finding {
    let most: u64 = read("/proc/sys/user/max_user_namespaces")
        .parse()
        .unwrap_or(0);
    let finding = |level| Finding::new("userns", level).with("most", most);
    if most < USER_NAMESPACES {
        return finding(Level::Fail).with("why", format!("max_user_namespaces = {most}"));
    }
    if effective_uid() != 0 {
        return finding(Level::Unknown);
    }
    match in_user_namespace(|_| Ok(())) {
        Ok(()) => finding(Level::Good),
        Err(error) => finding(Level::Fail).with("why", describe(&error)),
    }
}

/// AppArmor may forbid user namespaces to unconfined programs.
fn restriction() -> Option<Finding> {
    let switch =
        fs::read_to_string("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").ok()?;
    let level = if switch.trim() == "0" {
        Level::Good
    } else {
        Level::Warn
    };
    Some(Finding::new("restriction", level))
}

/// Maps a detached copy of the data folder through a namespace: the file system decides.
fn idmap(data: &Path) -> Finding {
    let folder = existing(data);
    let finding = |level| Finding::new("idmap", level).with("folder", folder.display());
    if effective_uid() != 0 {
        return finding(Level::Unknown);
    }
    let mapped = in_user_namespace(|child| {
        write_id_maps(
            child.pid,
            &[IdMap {
                inside: 0,
                outside: 1_000_000,
                count: 65_536,
            }],
        )?;
        let namespace = kernel::namespace::open(child.pid, "user")?;
        let path = CString::new(folder.as_os_str().as_encoded_bytes()).unwrap_or_default();
        let tree = clone_tree(Dir::Here, &path, Depth::One)?;
        let change = Change {
            id_map: Some(namespace.as_fd()),
            ..Change::NOTHING
        };
        change_detached(tree.as_fd(), Depth::One, change)
    });
    match mapped {
        Ok(()) => finding(Level::Good),
        Err(error) => finding(Level::Fail).with("why", describe(&error)),
    }
}

/// Whether overlay knows `userxattr`, without which a user namespace cannot mount it.
fn overlay() -> Finding {
    if effective_uid() != 0 {
        return Finding::new("overlay", Level::Unknown);
    }
    match FileSystem::open(c"overlay").and_then(|overlay| overlay.set_flag(c"userxattr")) {
        Ok(()) => Finding::new("overlay", Level::Good),
        Err(error) => Finding::new("overlay", Level::Fail).with("why", describe(&error)),
    }
}

fn cgroups() -> Vec<Finding> {
    let layout = match Layout::detect() {
        Ok(layout) => layout,
        Err(error) => {
            return vec![Finding::new("cgroup", Level::Fail).with("why", describe(&error))];
        }
    };
    let controllers = [
        ("cgroup-memory", "memory", Level::Fail),
        ("cgroup-pids", "pids", Level::Fail),
        ("cgroup-cpu", "cpu", Level::Warn),
    ];
    let answer = |(name, controller, missing)| {
        let version = layout
            .of(controller)
            .map(|hierarchy| match hierarchy.version {
                Version::V1 => "v1",
                Version::V2 => "v2",
            });
        match version {
            Some(version) => Finding::new(name, Level::Good).with("version", version),
            None => Finding::new(name, missing),
        }
    };
    controllers.map(answer).into()
}

fn seccomp() -> Finding {
    let known = Path::new("/proc/sys/kernel/seccomp/actions_avail").exists();
    Finding::new("seccomp", if known { Level::Good } else { Level::Fail })
}

fn apparmor() -> Finding {
    let modules = read("/sys/kernel/security/lsm");
    let present = modules.split(',').any(|module| module == "apparmor");
    let level = if present { Level::Good } else { Level::Warn };
    let shown = if modules.is_empty() {
        "-".to_owned()
    } else {
        modules
    };
    Finding::new("apparmor", level).with("modules", shown)
}

fn loop_devices() -> Finding {
    let found = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/loop-control");
    match found {
        Ok(_) => Finding::new("loop", Level::Good),
        Err(_) if effective_uid() != 0 => Finding::new("loop", Level::Unknown),
        Err(error) => Finding::new("loop", Level::Fail).with("why", error),
    }
}

fn mke2fs() -> Finding {
    let folders = ["/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin", "/bin"];
    let present = folders
        .iter()
        .any(|folder| Path::new(folder).join("mke2fs").exists());
    Finding::new("mke2fs", if present { Level::Good } else { Level::Fail })
}

fn disk(data: &Path) -> Finding {
    let folder = existing(data);
    match kernel::fs::free_bytes(&folder) {
        Ok(free) => {
            let level = match free {
                free if free < GIB => Level::Fail,
                free if free < 5 * GIB => Level::Warn,
                _ => Level::Good,
            };
            Finding::new("disk", level)
                .with("free", gib(free))
                .with("folder", folder.display())
        }
        Err(error) => Finding::new("disk", Level::Fail)
            .with("free", describe(&error))
            .with("folder", folder.display()),
    }
}

fn memory() -> Finding {
    let text = read("/proc/meminfo");
    let available = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))
        .and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok())
        .map_or(0, |kibibytes| kibibytes * 1024);
    let level = if available < GIB {
        Level::Warn
    } else {
        Level::Good
    };
    Finding::new("memory", level).with("available", gib(available))
}

fn images(data: &Path) -> Finding {
    let store = data.join("store");
    let level = if crate::config::has_machine_image(&store) {
        Level::Good
    } else {
        Level::Warn
    };
    Finding::new("images", level).with("store", store.display())
}

/// Runs `work` beside a child that lives in a user namespace of its own, then ends the child.
fn in_user_namespace(work: impl FnOnce(&Child) -> Result<(), SysError>) -> Result<(), SysError> {
    match fork(Namespaces::USER, Parent::Caller)? {
        Forked::Child => {
            // Killed by the parent; the limit is for a parent that died first.
            std::thread::sleep(std::time::Duration::from_secs(5));
            exit(0)
        }
        Forked::Parent(child) => {
            let done = work(&child);
            pidfd_send_signal(child.pidfd.as_fd(), Signal::KILL)?;
            let _: Option<Exit> = wait(child.pidfd.as_fd(), Patience::Wait)?;
            done
        }
    }
}

/// `data`, or the nearest folder above it that exists.
fn existing(data: &Path) -> PathBuf {
    let found = data.ancestors().find(|folder| folder.is_dir());
    found.unwrap_or(Path::new("/")).to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(path)
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn gib(bytes: u64) -> String {
    let tenths = bytes * 10 / GIB;
    format!("{},{} Gio", tenths / 10, tenths % 10)
}

fn describe(error: &SysError) -> String {
    crate::error::chain(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_as_numbers() {
        assert_eq!(version("6.1.0-18-amd64"), Some((6, 1)));
        assert_eq!(version("6.18.3"), Some((6, 18)));
        assert!(version("5.15.0-91-generic").unwrap() < OLDEST);
        assert_eq!(version("linux"), None);
    }

    #[test]
    fn every_answer_has_its_sentences() {
        let names = [
            "root",
            "kernel",
            "userns",
            "restriction",
            "idmap",
            "overlay",
            "cgroup-memory",
            "cgroup-pids",
            "cgroup-cpu",
            "seccomp",
            "apparmor",
            "loop",
            "mke2fs",
            "disk",
            "memory",
            "images",
            "link-macvlan",
            "link-ipvlan",
            "link-vlan",
            "link-vxlan",
            "link-wireguard",
            "ipsec-esp",
            "sctp",
        ];
        for name in names {
            let finding = |level| Finding::new(name, level);
            let is_said = |level| !finding(level).sentence().starts_with("doctor.");
            assert!(is_said(Level::Good), "{name}");
            for level in [Level::Warn, Level::Fail] {
                // Not every question has both; what can be bad must say what to do.
                assert!(
                    !is_said(level) || finding(level).remedy().is_some(),
                    "{name} {level:?}"
                );
            }
            let said = [Level::Unknown, Level::Warn, Level::Fail]
                .into_iter()
                .any(is_said);
            assert!(said, "{name}");
        }
    }
}
