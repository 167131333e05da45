//! Building the outer stage's mounts (M1), exactly as the table in ARCHITECTURE.md says.

use std::ffi::{CStr, CString};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use kernel::cgroup::{Layout, Version};
use kernel::error::SysError;
use kernel::fs::Dir;
use kernel::mount::{self, Attributes, Change, Depth, Propagation};

use crate::machine::spec::KERNEL_OBJECTS;
use crate::machine::stage::{DISK, EXECUTABLE, HANDOVER, STORE};

/// Why the stage could not be built.
#[derive(Debug, thiserror::Error)]
pub(super) enum OuterError {
    /// The kernel refused.
    #[error(transparent)]
    Kernel(#[from] SysError),
    /// A file or directory of the stage.
    #[error("cannot make {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The device files that a program may expect.
pub(crate) const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

const PLAIN: Attributes = Attributes::NO_DEV;

/// Makes the stage's root and moves into it.
pub(super) fn build() -> Result<(), OuterError> {
    let private = Change {
        propagation: Some(Propagation::Private),
        ..Change::NOTHING
    };
    mount::change(Dir::Here, c"/", Depth::Tree, private)?;
    let layout = Layout::detect()?;
    let [disk, store, executable] = [DISK, STORE, EXECUTABLE]
        .map(|name| mount::clone_tree(Dir::Here, &c(format!("{HANDOVER}/{name}")), Depth::One));
    let devices: Vec<_> = DEVICES
        .iter()
        .map(|name| mount::clone_tree(Dir::Here, &c(format!("/dev/{name}")), Depth::One))
        .collect::<Result<_, _>>()?;
    let proc = mount::detached(c"proc", &[], hidden())?;
    // While this one is visible, one with the inner network may be mounted.
    let sys = mount::detached(c"sysfs", &[], hidden() | Attributes::READ_ONLY)?;
    let groups = control_groups(&layout)?;

    let options = [(c"mode", c"755"), (c"size", c"1m")];
    let root = mount::detached(c"tmpfs", &options, PLAIN | Attributes::NO_SUID)?;
    mount::attach(root.as_fd(), Dir::Here, c"/tmp")?;
    std::env::set_current_dir("/tmp").map_err(|e| failed("/tmp", e))?;
    mount::pivot_into_working_directory()?;

    for name in [
        "store", "disk", "machine", "proc", "sys", "dev", "run", "tmp", "lower",
    ] {
        directory(&Path::new("/").join(name))?;
    }
    file("/quai")?;
    attach(&executable?, c"/quai")?;
    attach(&store?, c"/store")?;
    attach(&disk?, c"/disk")?;
    attach(&proc, c"/proc")?;
    attach(&sys, c"/sys")?;
    attach_control_groups(&groups)?;
    for (name, device) in DEVICES.iter().zip(&devices) {
        let path = format!("/dev/{name}");
        file(&path)?;
        attach(device, &c(&path))?;
    }
    let options = [(c"mode", c"755"), (c"size", c"16m")];
    let run = mount::detached(c"tmpfs", &options, PLAIN | Attributes::NO_SUID)?;
    attach(&run, c"/run")?;
    directory(Path::new("/run/engine"))
}

/// Sets what the whole machine may have of kernel objects; the inner stage cannot raise it.
pub(super) fn limit_kernel_objects() -> Result<(), OuterError> {
    for (name, limit) in KERNEL_OBJECTS {
        let path = format!("/proc/sys/user/{name}");
        match fs::write(&path, limit.to_string()) {
            // Kernels without this kind of object have no such file.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            other => other.map_err(|e| failed(&path, e))?,
        }
    }
    Ok(())
}

/// Mounts the machine's root at `/machine`: the image's layers and the disk.
pub(super) fn mount_machine(lowers: &[PathBuf]) -> Result<(), OuterError> {
    for path in [
        "/disk/root",
        "/disk/root/upper",
        "/disk/root/work",
        "/disk/engine",
    ] {
        directory(Path::new(path))?;
    }
    // One option takes 255 bytes, which the paths of three layers fill: short names lead to them.
    let mut names = Vec::new();
    for (n, lower) in lowers.iter().enumerate() {
        let name = format!("/lower/{n}");
        let target = Path::new("/store").join(lower);
        symlink(target, &name).map_err(|e| failed(&name, e))?;
        names.push(name);
    }
    let options = [
        (c"lowerdir", c(names.join(":"))),
        (c"upperdir", c("/disk/root/upper")),
        (c"workdir", c("/disk/root/work")),
        (c"userxattr", c("")),
    ];
    let options: Vec<(&CStr, &CStr)> = options.iter().map(|(k, v)| (*k, v.as_c_str())).collect();
    let machine = mount::detached(c"overlay", &options, PLAIN)?;
    attach(&machine, c"/machine")?;
    mount_command()
}

/// Shows the executable in the machine, where the image has an empty file for it and links such as
/// `docker` to it. A learner who removed that file has removed the command.
fn mount_command() -> Result<(), OuterError> {
    use kernel::fs::{Access, open, open_beneath};
    let root = open(Path::new("/machine"), Access::Directory)?;
    let Ok(point) = open_beneath(root.as_fd(), Path::new(COMMAND), Access::Path) else {
        return Ok(());
    };
    if !File::from(point.try_clone().map_err(|e| failed(COMMAND, e))?)
        .metadata()
        .is_ok_and(|meta| meta.is_file())
    {
        return Ok(());
    }
    let command = mount::clone_tree(Dir::Here, c"/quai", Depth::One)?;
    Ok(mount::attach(command.as_fd(), Dir::At(point.as_fd()), c"")?)
}

/// Where the machine's image expects the executable.
const COMMAND: &str = "usr/local/bin/quai";

/// Puts a sysfs that shows the network namespace `net` at `/machine/sys`, read-only.
///
/// It is mounted here and not by the inner stage, so that nobody there can make it writable.
pub(super) fn mount_inner_sys(net: BorrowedFd<'_>) -> Result<(), OuterError> {
    use kernel::namespace::{self, Namespaces};
    let own = namespace::open_own("net")?;
    namespace::setns(net, Namespaces::NETWORK)?;
    let sys = mount::detached(c"sysfs", &[], hidden() | Attributes::READ_ONLY);
    namespace::setns(own.as_fd(), Namespaces::NETWORK)?;
    let point = mount_point("sys")?;
    mount::attach(sys?.as_fd(), Dir::At(point.as_fd()), c"")?;
    Ok(())
}

/// The directory `name` of the machine's root, made if the learner removed or replaced it.
fn mount_point(name: &str) -> Result<OwnedFd, OuterError> {
    use kernel::fs::{Access, open, open_beneath};
    let root = open(Path::new("/machine"), Access::Directory)?;
    let find = || open_beneath(root.as_fd(), Path::new(name), Access::Directory);
    if let Ok(found) = find() {
        return Ok(found);
    }
    let path = Path::new("/machine").join(name);
    // A link or a file in its place: neither is followed by these two.
    let _ = fs::remove_file(&path);
    directory(&path)?;
    Ok(find()?)
}

/// Takes the former inner stage's sysfs away, so that a new one can be put there.
pub(super) fn unmount_inner_sys() -> Result<(), OuterError> {
    Ok(mount::unmount(c"/machine/sys")?)
}

/// Detached control group file systems, and where each belongs below `/sys/fs/cgroup`.
pub(crate) fn control_groups(layout: &Layout) -> Result<Vec<(String, OwnedFd)>, SysError> {
    let alone = layout.hierarchies().len() == 1;
    let mut mounts = Vec::new();
    for hierarchy in layout.hierarchies() {
        let mount = match hierarchy.version {
            Version::V2 => mount::detached(c"cgroup2", &[], hidden())?,
            Version::V1 => {
                let words: Vec<_> = hierarchy
                    .controllers
                    .iter()
                    .map(|word| match word.strip_prefix("name=") {
                        Some(name) => (c("name"), c(name)),
                        None => (c(word), c("")),
                    })
                    .collect();
                let mut options: Vec<(&CStr, &CStr)> = words
                    .iter()
                    .map(|(k, v)| (k.as_c_str(), v.as_c_str()))
                    .collect();
                if hierarchy.controllers.iter().all(|w| w.starts_with("name=")) {
                    options.insert(0, (c"none", c""));
                }
                mount::detached(c"cgroup", &options, hidden())?
            }
        };
        let name = match (alone, hierarchy.mount.file_name()) {
            (false, Some(name)) => name.to_string_lossy().into_owned(),
            _ => String::new(),
        };
        mounts.push((name, mount));
    }
    Ok(mounts)
}

/// Attaches them below `/sys/fs/cgroup`, on a small file system when there are several.
fn attach_control_groups(mounts: &[(String, OwnedFd)]) -> Result<(), OuterError> {
    if let [(name, mount)] = mounts
        && name.is_empty()
    {
        return attach(mount, c"/sys/fs/cgroup");
    }
    let options = [(c"mode", c"755"), (c"size", c"64k")];
    let base = mount::detached(c"tmpfs", &options, hidden())?;
    attach(&base, c"/sys/fs/cgroup")?;
    for (name, mount) in mounts {
        let path = format!("/sys/fs/cgroup/{name}");
        directory(Path::new(&path))?;
        attach(mount, &c(&path))?;
    }
    Ok(())
}

/// For file systems that hold the kernel's own files.
pub(crate) fn hidden() -> Attributes {
    Attributes::NO_SUID | Attributes::NO_DEV | Attributes::NO_EXEC
}

fn attach(mount: &OwnedFd, path: &CStr) -> Result<(), OuterError> {
    Ok(mount::attach(mount.as_fd(), Dir::Here, path)?)
}

fn directory(path: &Path) -> Result<(), OuterError> {
    match fs::create_dir(path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(failed(path, e)),
        _ => fs::set_permissions(path, fs::Permissions::from_mode(0o755))
            .map_err(|e| failed(path, e)),
    }
}

fn file(path: impl AsRef<Path>) -> Result<(), OuterError> {
    let path = path.as_ref();
    File::create(path).map(drop).map_err(|e| failed(path, e))
}

fn failed(path: impl AsRef<Path>, source: io::Error) -> OuterError {
    OuterError::File {
        path: path.as_ref().to_owned(),
        source,
    }
}

fn c(text: impl AsRef<std::ffi::OsStr>) -> CString {
    CString::new(text.as_ref().as_bytes()).expect("our own words have no NUL")
}
