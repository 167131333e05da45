//! Does the steps, inside the container's mount namespace, before its root is entered.
//!
//! The image is hostile input: every target is resolved below the root by descriptor, once.

use std::ffi::CString;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use kernel::cgroup::Cgroup;
use kernel::error::SysError;
use kernel::file::{self, FileSystem};
use kernel::fs::{self, Access as Open, Dir, open_in_root};
use kernel::mount::{self, Attributes, Change, Depth};
use kernel::procfs;

use super::{Bound, Content, Flag, Reach, Source, Step, bound, cgroups, copy_up, node};
use crate::runtime::request::Access;

/// What the steps work on.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    /// The container's root, attached but not yet entered.
    pub(crate) root: BorrowedFd<'a>,
    /// The plan's sources, cloned in the engine's stage.
    pub(crate) sources: &'a [OwnedFd],
    /// The group that the process has entered, where this mount namespace shows it as it is named.
    pub(crate) group: Option<&'a Cgroup>,
}

/// A step's own copy of a bind of the machine, made while the mounts of this namespace still hear of the machine's.
#[derive(Debug)]
pub(crate) struct Copied(Option<OwnedFd>);

impl Copied {
    /// The copies that the steps need, one for each.
    pub(crate) fn of(steps: &[Step]) -> Result<Vec<Self>, SysError> {
        steps.iter().map(Self::one).collect()
    }

    fn one(step: &Step) -> Result<Self, SysError> {
        let Step::Bind {
            source: Source::Machine(path),
            manner,
            ..
        } = step
        else {
            return Ok(Self(None));
        };
        let bound = Bound {
            path: path.clone(),
            reach: manner.reach,
            propagation: manner.propagation,
            ..Bound::default()
        };
        bound::clone(&bound).map(|copy| Self(Some(copy)))
    }
}

/// Does one step, with the copy that was made for it.
pub(crate) fn apply(scene: &Scene<'_>, step: &Step, copy: &Copied) -> Result<(), SysError> {
    match step {
        Step::Mount {
            kind,
            target,
            options,
            flags,
            propagation,
            content,
        } => {
            let mount = match new_file_system(kind, options, flags) {
                // Only who owns the network may mount a sysfs that shows it: the one that is there is bound.
                Err(e) if kind == "sysfs" && e.source.raw_os_error() == Some(1) => {
                    bound_sysfs(flags)?
                }
                made => made?,
            };
            if *content == Content::Copied {
                copy_up::fill(scene.root, Path::new(target), &mount)?;
            }
            if matches!(kind.as_str(), "proc" | "sysfs") {
                refuse_link(scene, target)?;
            }
            attach_directory(scene, &mount, target)?;
            propagation.map_or(Ok(()), |how| bound::propagate(mount.as_fd(), how))
        }
        Step::Cgroups { target, access } => cgroups::all(scene, target, *access),
        Step::OwnGroups { target, access } => cgroups::own(scene, target, *access),
        Step::Node(wanted) => node::make(scene, wanted),
        Step::Bind {
            source: Source::Engine(index),
            target,
            access,
            manner,
        } => {
            let source = scene.sources[*index].as_fd();
            attach_bind(scene, source, target, *access, manner.read_only)
        }
        Step::Bind {
            target,
            access,
            manner,
            ..
        } => {
            let copy = copy.0.as_ref().expect("each bind of the machine is copied");
            attach_bind(scene, copy.as_fd(), target, *access, manner.read_only)
        }
        Step::Device { name, numbers } => node::usual(scene, name, *numbers),
        Step::AllDevices => all_devices(scene),
        Step::Link { to, path } => link(scene, to, path),
        Step::Sysctl { name, value } => sysctl(scene, name, value),
        Step::Mask(path) => mask(scene, path),
        Step::ReadOnly(path) => read_only(scene, path),
    }
}

/// Puts the terminal in place of `/dev/console`; the root has been entered.
pub(crate) fn bind_console(slave: BorrowedFd<'_>) -> Result<(), SysError> {
    let path = Path::new("/dev/console");
    let directory = fs::open(Path::new("/dev"), Open::Directory)?;
    let name = Path::new("console");
    // A link in its place is refused, not followed.
    let target = match fs::open_beneath(directory.as_fd(), name, Open::Path) {
        Err(e) if e.source.kind() == std::io::ErrorKind::NotFound => {
            drop(fs::open_beneath(
                directory.as_fd(),
                name,
                Open::CreateNew(0o600),
            )?);
            fs::open_beneath(directory.as_fd(), name, Open::Path)?
        }
        other => other.map_err(|e| e.on(path.to_string_lossy()))?,
    };
    let mount = mount::clone_tree(Dir::At(slave), c"", Depth::One)?;
    mount::attach(mount.as_fd(), Dir::At(target.as_fd()), c"")
}

/// Sets how mount events travel through the root, which has been entered.
pub(crate) fn set_root_propagation(
    how: crate::runtime::mounts::Propagation,
) -> Result<(), SysError> {
    let root = fs::open(Path::new("/"), Open::Directory)?;
    bound::propagate(root.as_fd(), how)
}

/// Makes the root itself read-only, not what is mounted in it.
pub(crate) fn make_root_read_only() -> Result<(), SysError> {
    let change = Change {
        set: Attributes::READ_ONLY,
        ..Change::NOTHING
    };
    mount::change(Dir::Here, c"/", Depth::One, change)
}

pub(super) fn new_file_system(
    kind: &str,
    options: &[(String, String)],
    flags: &[Flag],
) -> Result<OwnedFd, SysError> {
    let attributes = attributes(flags);
    let try_with = |skip: Option<&str>| {
        let context = mount::FileSystem::open(&c(kind))?;
        for (key, value) in options.iter().filter(|(key, _)| Some(key.as_str()) != skip) {
            if value.is_empty() {
                context.set_flag(&c(key))?;
            } else {
                context.set(&c(key), &c(value))?;
            }
        }
        context.mount(attributes)
    };
    match try_with(None) {
        // Group 5 (tty) may not be mapped in a small user namespace.
        Err(e) if kind == "devpts" && e.source.raw_os_error() == Some(22) => try_with(Some("gid")),
        other => other,
    }
}

fn bound_sysfs(flags: &[Flag]) -> Result<OwnedFd, SysError> {
    let mount = mount::clone_tree(Dir::Here, c"/sys", Depth::Tree)?;
    let change = Change {
        set: attributes(flags),
        propagation: Some(mount::Propagation::Private),
        ..Change::NOTHING
    };
    mount::change_detached(mount.as_fd(), Depth::Tree, change)?;
    Ok(mount)
}

pub(super) fn attributes(flags: &[Flag]) -> Attributes {
    flags.iter().fold(Attributes::NONE, |all, flag| {
        all | match flag {
            Flag::ReadOnly => Attributes::READ_ONLY,
            Flag::NoSuid => Attributes::NO_SUID,
            Flag::NoDev => Attributes::NO_DEV,
            Flag::NoExec => Attributes::NO_EXEC,
            Flag::NoAtime => Attributes::NO_ATIME,
            Flag::NoDirAtime => Attributes::NO_DIRATIME,
            Flag::StrictAtime => Attributes::STRICT_ATIME,
            Flag::RelAtime => Attributes::NONE,
            Flag::NoSymlinks => Attributes::NO_SYMLINKS,
        }
    })
}

pub(super) fn attach_directory(
    scene: &Scene<'_>,
    mount: &OwnedFd,
    target: &str,
) -> Result<(), SysError> {
    let directory = make_directories(scene.root, Path::new(target))?;
    mount::attach(mount.as_fd(), Dir::At(directory.as_fd()), c"").map_err(|e| e.on(target))
}

/// What shows the kernel stands where everybody looks for it, not where a link of the image leads
/// (CVE-2023-27561).
fn refuse_link(scene: &Scene<'_>, target: &str) -> Result<(), SysError> {
    let below = Path::new(target.trim_start_matches('/'));
    match fs::open_beneath(scene.root, below, Open::Path) {
        Err(e) if e.source.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other.map(drop),
    }
}

/// Opens a directory below the root, making what is missing of it.
pub(crate) fn make_directories(root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, SysError> {
    match open_in_root(root, path, Open::Directory) {
        Err(e) if e.source.kind() == std::io::ErrorKind::NotFound => {}
        other => return other,
    }
    let parent = path.parent().unwrap_or(Path::new("/"));
    let Some(name) = path.file_name() else {
        return open_in_root(root, Path::new("/"), Open::Directory);
    };
    let above = make_directories(root, parent)?;
    fs::make_directory(Dir::At(above.as_fd()), Path::new(name), 0o755)?;
    open_in_root(root, path, Open::Directory)
}

/// Opens a file below the root, making an empty one if it is missing.
fn make_file(root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, SysError> {
    match open_in_root(root, path, Open::Path) {
        Err(e) if e.source.kind() == std::io::ErrorKind::NotFound => {}
        other => return other,
    }
    make_directories(root, path.parent().unwrap_or(Path::new("/")))?;
    drop(open_in_root(root, path, Open::CreateNew(0o755))?);
    open_in_root(root, path, Open::Path)
}

pub(super) fn attach_bind(
    scene: &Scene<'_>,
    mount: BorrowedFd<'_>,
    target: &str,
    access: Access,
    read_only: Reach,
) -> Result<(), SysError> {
    if access == Access::ReadOnly {
        let change = Change {
            set: Attributes::READ_ONLY,
            ..Change::NOTHING
        };
        mount::change_detached(mount, bound::depth(read_only), change)?;
    }
    let path = Path::new(target);
    let place = if is_directory(mount)? {
        make_directories(scene.root, path)?
    } else {
        make_file(scene.root, path)?
    };
    if target == "/proc" {
        // Only another procfs may stand for it.
        procfs::own::check_root(mount)?;
    }
    let pretends = crate::runtime::bundle::may_be_covered(target);
    if file::file_system(place.as_fd())? == FileSystem::Proc && !pretends {
        return Err(refused("move_mount", target, "the target is inside procfs"));
    }
    mount::attach(mount, Dir::At(place.as_fd()), c"").map_err(|e| e.on(target))
}

fn is_directory(fd: BorrowedFd<'_>) -> Result<bool, SysError> {
    Ok(metadata(fd)?.is_dir())
}

pub(super) fn metadata(fd: BorrowedFd<'_>) -> Result<std::fs::Metadata, SysError> {
    fd.try_clone_to_owned()
        .and_then(|fd| File::from(fd).metadata())
        .map_err(|e| SysError::io("fstat", e))
}

/// Binds every device node of the stage's `/dev` that the container does not have yet.
fn all_devices(scene: &Scene<'_>) -> Result<(), SysError> {
    let entries = std::fs::read_dir("/dev").map_err(|e| SysError::io("readdir", e).on("/dev"))?;
    for entry in entries.flatten() {
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        let path = entry.path();
        let there = open_in_root(scene.root, &path, Open::Path).is_ok();
        if there || !(kind.is_char_device() || kind.is_block_device()) {
            continue;
        }
        if path == Path::new("/dev/console") || path == Path::new("/dev/ptmx") {
            continue;
        }
        let source = bound::clone_private(&path)?;
        let target = path.to_string_lossy();
        attach_bind(
            scene,
            source.as_fd(),
            &target,
            Access::ReadWrite,
            Reach::Tree,
        )?;
    }
    Ok(())
}

fn link(scene: &Scene<'_>, to: &str, path: &str) -> Result<(), SysError> {
    let path = Path::new(path);
    let directory = make_directories(scene.root, path.parent().unwrap_or(Path::new("/")))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match file::symlink_at(&c(to), Dir::At(directory.as_fd()), &c(&name)) {
        Err(e) if e.source.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

fn sysctl(scene: &Scene<'_>, name: &str, value: &str) -> Result<(), SysError> {
    // Names with a slash keep their dots: `net/ipv4/conf/eth0.1/…`.
    let path = if name.contains('/') {
        format!("/proc/sys/{name}")
    } else {
        format!("/proc/sys/{}", name.replace('.', "/"))
    };
    let proc = open_in_root(scene.root, Path::new("/proc"), Open::Directory)?;
    procfs::own::check_root(proc.as_fd())?;
    let below = path.trim_start_matches("/proc/");
    let fd = fs::open_on_mount(proc.as_fd(), Path::new(below), Open::Write)?;
    File::from(fd)
        .write_all(value.as_bytes())
        .map_err(|e| SysError::io("write", e).on(path))
}

/// Covers a file with the null device, a directory with an empty read-only tmpfs.
fn mask(scene: &Scene<'_>, path: &str) -> Result<(), SysError> {
    let Some(place) = existing(scene, path)? else {
        return Ok(());
    };
    let mount = if is_directory(place.as_fd())? {
        let size = [("size".to_owned(), "0".to_owned())];
        let flags = [Flag::ReadOnly, Flag::NoSuid, Flag::NoDev, Flag::NoExec];
        new_file_system("tmpfs", &size, &flags)?
    } else {
        let source = node::null(scene)?;
        mount::clone_tree(Dir::At(source.as_fd()), c"", Depth::One)?
    };
    mount::attach(mount.as_fd(), Dir::At(place.as_fd()), c"").map_err(|e| e.on(path))
}

fn read_only(scene: &Scene<'_>, path: &str) -> Result<(), SysError> {
    let Some(place) = existing(scene, path)? else {
        return Ok(());
    };
    let mount = mount::clone_tree(Dir::At(place.as_fd()), c"", Depth::Tree)?;
    let change = Change {
        set: Attributes::READ_ONLY,
        ..Change::NOTHING
    };
    mount::change_detached(mount.as_fd(), Depth::Tree, change)?;
    mount::attach(mount.as_fd(), Dir::At(place.as_fd()), c"").map_err(|e| e.on(path))
}

/// A path of the kernel's file systems that this kernel has.
fn existing(scene: &Scene<'_>, path: &str) -> Result<Option<OwnedFd>, SysError> {
    let place = match open_in_root(scene.root, Path::new(path), Open::Path) {
        Ok(place) => place,
        Err(e) => {
            use std::io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
            let absent = matches!(e.source.kind(), NotFound | NotADirectory | PermissionDenied);
            return if absent { Ok(None) } else { Err(e) };
        }
    };
    let of_kernel = path.starts_with("/proc/") || path.starts_with("/sys/");
    if of_kernel && file::file_system(place.as_fd())? == FileSystem::Other {
        return Err(refused("open", path, "it is not on procfs or sysfs"));
    }
    Ok(Some(place))
}

pub(super) fn refused(call: &'static str, object: &str, why: &str) -> SysError {
    SysError::io(call, std::io::Error::other(why.to_owned())).on(object)
}

pub(super) fn c(text: &str) -> CString {
    // The plan has refused strings with a NUL.
    CString::new(text).unwrap_or_default()
}
