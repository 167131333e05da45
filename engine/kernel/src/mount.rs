//! Mounts, by descriptor: a mount is made detached, changed, and only then attached.

use std::ffi::CStr;
use std::ops::BitOr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use crate::error::SysError;
use crate::fs::Dir;

/// What a mount forbids; see mount_setattr(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes(u64);

impl Attributes {
    /// Forbids nothing.
    pub const NONE: Self = Self(0);
    /// No write.
    pub const READ_ONLY: Self = Self(libc::MOUNT_ATTR_RDONLY);
    /// Set-user-id bits and file capabilities mean nothing.
    pub const NO_SUID: Self = Self(libc::MOUNT_ATTR_NOSUID);
    /// Device nodes cannot be opened.
    pub const NO_DEV: Self = Self(libc::MOUNT_ATTR_NODEV);
    /// No program can be executed.
    pub const NO_EXEC: Self = Self(libc::MOUNT_ATTR_NOEXEC);
    /// Access times are not kept.
    pub const NO_ATIME: Self = Self(libc::MOUNT_ATTR_NOATIME);
    /// Access times of directories are not kept.
    pub const NO_DIRATIME: Self = Self(libc::MOUNT_ATTR_NODIRATIME);
    /// Every access time is kept.
    pub const STRICT_ATIME: Self = Self(libc::MOUNT_ATTR_STRICTATIME);
    /// To be cleared: whichever choice about access times was made, so that the usual one holds.
    pub const ANY_ATIME: Self = Self(0x70);
    /// Symbolic links are not followed.
    pub const NO_SYMLINKS: Self = Self(libc::MOUNT_ATTR_NOSYMFOLLOW);
}

impl Attributes {
    /// Whether it forbids all that `other` forbids.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Without what `other` forbids.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for Attributes {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Whether an operation takes the mounts below with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// This mount alone.
    One,
    /// This mount and all below it.
    Tree,
}

/// How mount events travel between copies; see mount_namespaces(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// Not at all.
    Private,
    /// From the original to this copy.
    Slave,
    /// Both ways.
    Shared,
    /// Not at all, and it cannot be bound elsewhere.
    Unbindable,
}

/// Copies the mount that `path` lies on, with `path` as its root, unattached; see open_tree(2).
pub fn clone_tree(dir: Dir<'_>, path: &CStr, depth: Depth) -> Result<OwnedFd, SysError> {
    let mut flags =
        libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | libc::AT_EMPTY_PATH.cast_unsigned();
    if depth == Depth::Tree {
        flags |= libc::AT_RECURSIVE.cast_unsigned();
    }
    // SAFETY: the path is a `CStr` borrow that outlives the call; the rest goes by value.
    let ret = unsafe { libc::syscall(libc::SYS_open_tree, dir.raw(), path.as_ptr(), flags) };
    owned("open_tree", ret).map_err(|e| e.on(path.to_string_lossy()))
}

/// A file system being configured; see fsopen(2).
#[derive(Debug)]
pub struct FileSystem {
    fd: OwnedFd,
    kind: String,
}

impl FileSystem {
    /// Begins a file system of this kind, such as `tmpfs`.
    pub fn open(kind: &CStr) -> Result<Self, SysError> {
        const FSOPEN_CLOEXEC: libc::c_uint = 1;
        // SAFETY: the name is a `CStr` borrow that outlives the call; the rest goes by value.
        let ret = unsafe { libc::syscall(libc::SYS_fsopen, kind.as_ptr(), FSOPEN_CLOEXEC) };
        let kind = kind.to_string_lossy().into_owned();
        let fd = owned("fsopen", ret).map_err(|e| e.on(kind.as_str()))?;
        Ok(Self { fd, kind })
    }

    /// Sets `key=value`; `source` is a key too.
    pub fn set(&self, key: &CStr, value: &CStr) -> Result<(), SysError> {
        self.configure(FSCONFIG_SET_STRING, Some(key), Some(value), 0)
            .map_err(|e| {
                let (key, value) = (key.to_string_lossy(), value.to_string_lossy());
                self.explain(e.on(format!("{}: {key}={value}", self.kind)))
            })
    }

    /// Sets a key that has no value, such as `ro`.
    pub fn set_flag(&self, key: &CStr) -> Result<(), SysError> {
        self.configure(FSCONFIG_SET_FLAG, Some(key), None, 0)
            .map_err(|e| self.explain(e.on(format!("{}: {}", self.kind, key.to_string_lossy()))))
    }

    /// Sets a key to an open file, such as a layer of an overlay (Linux 6.13).
    pub fn set_fd(&self, key: &CStr, value: BorrowedFd<'_>) -> Result<(), SysError> {
        self.configure(FSCONFIG_SET_FD, Some(key), None, value.as_raw_fd())
            .map_err(|e| self.explain(e.on(format!("{}: {}", self.kind, key.to_string_lossy()))))
    }

    /// Makes the file system and a mount of it, unattached.
    pub fn mount(self, attributes: Attributes) -> Result<OwnedFd, SysError> {
        const FSMOUNT_CLOEXEC: libc::c_uint = 1;
        self.configure(FSCONFIG_CMD_CREATE, None, None, 0)
            .map_err(|e| self.explain(e.on(self.kind.as_str())))?;
        // SAFETY: fsmount(2) takes a descriptor that `self` keeps open, and flags by value.
        let ret = unsafe {
            libc::syscall(
                libc::SYS_fsmount,
                self.fd.as_raw_fd(),
                FSMOUNT_CLOEXEC,
                attributes.0,
            )
        };
        owned("fsmount", ret).map_err(|e| self.explain(e.on(self.kind.as_str())))
    }

    fn configure(
        &self,
        command: libc::c_uint,
        key: Option<&CStr>,
        value: Option<&CStr>,
        aux: RawFd,
    ) -> Result<(), SysError> {
        let pointer = |text: Option<&CStr>| text.map_or(std::ptr::null(), CStr::as_ptr);
        // SAFETY: key and value are null or `CStr` borrows that outlive the call.
        let ret = unsafe {
            libc::syscall(
                libc::SYS_fsconfig,
                self.fd.as_raw_fd(),
                command,
                pointer(key),
                pointer(value),
                aux,
            )
        };
        SysError::check("fsconfig", ret)
    }

    /// Adds what the kernel says about the failure: the messages wait on the descriptor.
    fn explain(&self, mut error: SysError) -> SysError {
        let mut said = Vec::new();
        let mut buffer = [0u8; 512];
        loop {
            // SAFETY: the pointer and the length describe one live local array.
            let n = unsafe {
                libc::read(
                    self.fd.as_raw_fd(),
                    buffer.as_mut_ptr().cast(),
                    buffer.len(),
                )
            };
            let Ok(n @ 1..) = usize::try_from(n) else {
                break;
            };
            said.push(String::from_utf8_lossy(&buffer[..n]).trim().to_owned());
        }
        if !said.is_empty() {
            let object = error.object.take().unwrap_or_default();
            error.object = Some(format!("{object} ({})", said.join("; ")));
        }
        error
    }
}

const FSCONFIG_SET_FLAG: libc::c_uint = 0;
const FSCONFIG_SET_STRING: libc::c_uint = 1;
const FSCONFIG_SET_FD: libc::c_uint = 5;
const FSCONFIG_CMD_CREATE: libc::c_uint = 6;

/// A detached mount of a file system of this kind, with these options (an empty value is a flag);
/// `/proc/mounts` shows it with its kind as source unless an option says otherwise.
pub fn detached(
    kind: &CStr,
    options: &[(&CStr, &CStr)],
    attributes: Attributes,
) -> Result<OwnedFd, SysError> {
    let file_system = FileSystem::open(kind)?;
    if !options.iter().any(|(key, _)| *key == c"source") {
        file_system.set(c"source", kind)?;
    }
    for (key, value) in options {
        if value.is_empty() {
            file_system.set_flag(key)?;
        } else {
            file_system.set(key, value)?;
        }
    }
    file_system.mount(attributes)
}

/// Attaches a detached mount at `path`; see move_mount(2).
pub fn attach(mount: BorrowedFd<'_>, dir: Dir<'_>, path: &CStr) -> Result<(), SysError> {
    let flags = libc::MOVE_MOUNT_F_EMPTY_PATH | libc::MOVE_MOUNT_T_EMPTY_PATH;
    // SAFETY: both paths are `CStr` borrows that outlive the call; `mount` stays open during it.
    let ret = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            mount.as_raw_fd(),
            c"".as_ptr(),
            dir.raw(),
            path.as_ptr(),
            flags,
        )
    };
    SysError::check("move_mount", ret).map_err(|e| e.on(path.to_string_lossy()))
}

/// What `change` does to a mount.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// What it shall forbid from now on.
    pub set: Attributes,
    /// What it shall allow again.
    pub clear: Attributes,
    /// How its events shall travel.
    pub propagation: Option<Propagation>,
    /// The user namespace through whose map owners are seen; only for a detached mount.
    pub id_map: Option<BorrowedFd<'a>>,
}

impl Change<'_> {
    /// Changes nothing; to be completed with `..Change::NOTHING`.
    pub const NOTHING: Change<'static> = Change {
        set: Attributes::NONE,
        clear: Attributes::NONE,
        propagation: None,
        id_map: None,
    };
}

/// Changes the mount that `path` is the root of; see mount_setattr(2).
pub fn change(dir: Dir<'_>, path: &CStr, depth: Depth, change: Change<'_>) -> Result<(), SysError> {
    let mut attributes = libc::mount_attr {
        attr_set: change.set.0,
        attr_clr: change.clear.0,
        propagation: match change.propagation {
            None => 0,
            Some(Propagation::Private) => libc::MS_PRIVATE,
            Some(Propagation::Slave) => libc::MS_SLAVE,
            Some(Propagation::Shared) => libc::MS_SHARED,
            Some(Propagation::Unbindable) => libc::MS_UNBINDABLE,
        },
        userns_fd: 0,
    };
    if let Some(user_namespace) = change.id_map {
        attributes.attr_set |= libc::MOUNT_ATTR_IDMAP;
        attributes.userns_fd = user_namespace.as_raw_fd().cast_unsigned().into();
    }
    // Access times are a choice of one among several, so choosing one clears the others.
    const ATIME: u64 = 0x70;
    if attributes.attr_set & ATIME != 0 {
        attributes.attr_clr |= ATIME;
    }
    let mut flags = libc::AT_EMPTY_PATH;
    if depth == Depth::Tree {
        flags |= libc::AT_RECURSIVE;
    }
    // SAFETY: the path is a `CStr` borrow and `attributes` a live local of the given size; the
    // kernel only reads both.
    let ret = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            dir.raw(),
            path.as_ptr(),
            flags,
            &raw const attributes,
            size_of_val(&attributes),
        )
    };
    SysError::check("mount_setattr", ret).map_err(|e| e.on(path.to_string_lossy()))
}

/// Changes a detached mount.
pub fn change_detached(
    mount: BorrowedFd<'_>,
    depth: Depth,
    what: Change<'_>,
) -> Result<(), SysError> {
    change(Dir::At(mount), c"", depth, what)
}

/// Makes `new_root` the root of this mount namespace; see pivot_root(2).
pub fn pivot_root(new_root: &CStr, put_old: &CStr) -> Result<(), SysError> {
    // SAFETY: both pointers come from `CStr` borrows that outlive the call; the kernel only reads
    // them.
    let ret = unsafe { libc::syscall(libc::SYS_pivot_root, new_root.as_ptr(), put_old.as_ptr()) };
    SysError::check("pivot_root", ret).map_err(|e| e.on(new_root.to_string_lossy()))
}

/// Makes the working directory, which must be a mount, the root, and lets go of the old root.
///
/// The old root is put on top of the new one and unmounted from there, so no directory is needed
/// for it; see pivot_root(2), "pivot_root(".", ".")".
pub fn pivot_into_working_directory() -> Result<(), SysError> {
    pivot_root(c".", c".")?;
    unmount(c".")?;
    std::env::set_current_dir("/").map_err(|source| SysError::io("chdir", source).on("/"))
}

/// Takes the mount at `path` and all below it out of the tree; see umount2(2) with MNT_DETACH.
pub fn unmount(path: &CStr) -> Result<(), SysError> {
    // SAFETY: the path is a `CStr` borrow that outlives the call; the kernel only reads it.
    let ret = unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) };
    SysError::check("umount2", ret.into()).map_err(|e| e.on(path.to_string_lossy()))
}

fn owned(call: &'static str, ret: libc::c_long) -> Result<OwnedFd, SysError> {
    SysError::check(call, ret)?;
    let fd = RawFd::try_from(ret).expect("a descriptor fits in an int");
    // SAFETY: the call succeeded, so `fd` is a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

impl AsFd for FileSystem {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
