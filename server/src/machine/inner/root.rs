//! The learner's root as PID 1 makes it: mounts, devices, and a few files.

use std::ffi::CString;
use std::fs;
use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use kernel::cgroup::{Cgroup, Layout};
use kernel::error::SysError;
use kernel::fs::{Access, Dir};
use kernel::mount::{self, Attributes, Depth};
use kernel::netlink::link;
use kernel::process;

use crate::machine::cable::{Cable, Place};
use crate::machine::keeper::outer::{DEVICES, control_groups, hidden};
use crate::machine::spec::TERMINALS;

/// Why the root could not be built.
#[derive(Debug, thiserror::Error)]
pub(super) enum RootError {
    #[error(transparent)]
    Kernel(#[from] SysError),
    #[error("cannot make {path}")]
    File { path: PathBuf, source: io::Error },
}

/// Where the engine listens, as every Docker client expects.
const DOCKER_SOCKET: &str = "/run/docker.sock";

/// The machine's host name.
const HOST_NAME: &str = "machine";

/// Moves into the learner's root and completes it; returns the engine's listening socket.
///
/// Everything is mounted detached before the old root goes away, and attached after: then no link
/// that the learner left can lead a mount out of their own root.
pub(super) fn build(nameservers: &[Ipv4Addr], cable: Option<&Cable>) -> Result<OwnedFd, RootError> {
    let layout = Layout::detect()?;
    let groups = control_groups(&layout)?;
    let proc = mount::detached(c"proc", &[], hidden())?;
    let small = |mode, size| {
        let options = [(c"mode", mode), (c"size", size)];
        mount::detached(c"tmpfs", &options, Attributes::NO_SUID | Attributes::NO_DEV)
    };
    let dev = small(c"755", c"256k")?;
    let shm = small(c"1777", c"64m")?;
    let run = small(c"755", c"64m")?;
    let devices: Vec<_> = DEVICES
        .iter()
        .map(|name| mount::clone_tree(Dir::Here, &c(&format!("/dev/{name}")), Depth::One))
        .collect::<Result<_, _>>()?;
    let terminals = c(&TERMINALS.to_string());
    let options = [
        (c"newinstance", c""),
        (c"ptmxmode", c"0666"),
        (c"mode", c"0620"),
        (c"gid", c"5"),
        (c"max", terminals.as_c_str()),
    ];
    let pts = mount::detached(
        c"devpts",
        &options,
        Attributes::NO_SUID | Attributes::NO_EXEC,
    )?;

    // The copy is not locked, as mounts inherited from the outer stage are: it can become the root.
    let copy = mount::clone_tree(Dir::Here, c"/machine", Depth::Tree)?;
    mount::attach(copy.as_fd(), Dir::Here, c"/machine")?;
    std::env::set_current_dir("/machine").map_err(|e| failed("/machine", e))?;
    mount::pivot_into_working_directory()?;

    attach(&proc, "/proc")?;
    attach(&dev, "/dev")?;
    for (name, device) in DEVICES.iter().zip(&devices) {
        let path = format!("/dev/{name}");
        fs::write(&path, "").map_err(|e| failed(&path, e))?;
        mount::attach(device.as_fd(), Dir::Here, &c(&path))?;
    }
    attach(&pts, "/dev/pts")?;
    attach(&shm, "/dev/shm")?;
    let links = [
        ("pts/ptmx", "/dev/ptmx"),
        ("/proc/self/fd", "/dev/fd"),
        ("/proc/self/fd/0", "/dev/stdin"),
        ("/proc/self/fd/1", "/dev/stdout"),
        ("/proc/self/fd/2", "/dev/stderr"),
    ];
    for (target, link) in links {
        symlink(target, link).map_err(|e| failed(link, e))?;
    }
    attach(&run, "/run")?;
    directory("/run/lock", 0o1777)?;
    attach_groups(&groups, &layout)?;
    directory("/tmp", 0o1777)?;
    identity(nameservers, cable);
    docker_socket()
}

fn attach_groups(groups: &[(String, OwnedFd)], layout: &Layout) -> Result<(), RootError> {
    if let [(name, mount)] = groups
        && name.is_empty()
    {
        mount::attach(mount.as_fd(), Dir::Here, c"/sys/fs/cgroup")?;
    } else {
        let options = [(c"mode", c"755"), (c"size", c"64k")];
        let base = mount::detached(c"tmpfs", &options, hidden())?;
        mount::attach(base.as_fd(), Dir::Here, c"/sys/fs/cgroup")?;
        for (name, mount) in groups {
            attach(mount, &format!("/sys/fs/cgroup/{name}"))?;
        }
    }
    if layout.unified().is_some_and(|h| !h.controllers.is_empty()) {
        // Version 2 gives controllers only below groups that hold no process themselves.
        let here = Layout::detect()?.only_unified();
        let init = Cgroup::new(&here, "init");
        init.create_leaf()?;
        init.add(1)?;
        Cgroup::new(&here, "").enable_controllers()?;
    }
    Ok(())
}

/// Names the machine. A learner who removed `/etc` still gets a shell, and what they wrote stays.
fn identity(nameservers: &[Ipv4Addr], cable: Option<&Cable>) {
    let name = cable.map_or(HOST_NAME, Cable::host);
    let host = process::set_host_name(name).and_then(|()| link::set_up("lo"));
    if let Err(e) = host {
        eprintln!("machine-init: {e}");
    }
    let mut hosts = "127.0.0.1\tlocalhost\n::1\tlocalhost\n".to_owned();
    match cable {
        None => hosts += &format!("127.0.1.1\t{name}\n"),
        Some(cable) => {
            for (place, name) in Place::ALL.iter().zip(&cable.hosts) {
                hosts += &format!("{}\t{name}\n", place.address());
            }
        }
    }
    let resolver = resolver(nameservers);
    let resolver_access = match is_our_resolver() {
        true => Access::Create(0o644),
        false => Access::CreateNew(0o644),
    };
    // The image names a machine that is alone.
    let access = |path| match cable.is_some() && names_one_alone(path) {
        true => Access::Create(0o644),
        false => Access::CreateNew(0o644),
    };
    let files = [
        ("etc/hostname", format!("{name}\n"), access("etc/hostname")),
        ("etc/hosts", hosts, access("etc/hosts")),
        (RESOLVER, resolver, resolver_access),
    ];
    for (path, text, access) in files {
        let written = open_here(path, access);
        match written.map(|file| fs::File::from(file).write_all(text.as_bytes())) {
            Ok(Ok(())) => {}
            Ok(Err(e)) => eprintln!("machine-init: /{path}: {e}"),
            Err(e) if e.source.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => eprintln!("machine-init: {e}"),
        }
    }
}

const RESOLVER: &str = "etc/resolv.conf";

/// The first line of a resolver file that is ours: who takes it away keeps what they wrote.
const OURS: &str = "# quai\n";

fn resolver(nameservers: &[Ipv4Addr]) -> String {
    let lines = nameservers.iter().map(|a| format!("nameserver {a}\n"));
    std::iter::once(OURS.to_owned()).chain(lines).collect()
}

/// Whether the file may be written anew: the host may have moved to another network.
fn is_our_resolver() -> bool {
    beginning(RESOLVER).is_some_and(|text| text.is_empty() || text.starts_with(OURS))
}

/// Whether a line of the file ends with the name of a machine that is alone.
fn names_one_alone(path: &str) -> bool {
    let last = |line: &str| line.split_whitespace().next_back() == Some(HOST_NAME);
    beginning(path).is_some_and(|text| text.lines().any(last))
}

/// What a file begins with.
fn beginning(path: &str) -> Option<String> {
    let mut text = String::new();
    let file = fs::File::from(open_here(path, Access::Read).ok()?);
    // Anything but a file could keep a reader waiting.
    let is_file = file.metadata().is_ok_and(|meta| meta.is_file());
    (is_file && file.take(4096).read_to_string(&mut text).is_ok()).then_some(text)
}

fn open_here(path: &str, access: Access) -> Result<OwnedFd, SysError> {
    let root = kernel::fs::open(Path::new("/"), Access::Directory)?;
    kernel::fs::open_in_root(root.as_fd(), Path::new(path), access)
}

fn docker_socket() -> Result<OwnedFd, RootError> {
    let listener = UnixListener::bind(DOCKER_SOCKET).map_err(|e| failed(DOCKER_SOCKET, e))?;
    fs::set_permissions(DOCKER_SOCKET, fs::Permissions::from_mode(0o660))
        .map_err(|e| failed(DOCKER_SOCKET, e))?;
    Ok(listener.into())
}

fn attach(mount: &OwnedFd, path: &str) -> Result<(), RootError> {
    directory(path, 0o755)?;
    Ok(mount::attach(mount.as_fd(), Dir::Here, &c(path))?)
}

/// A real directory at `path`, whatever the learner put there.
fn directory(path: &str, mode: u32) -> Result<(), RootError> {
    let is_directory = fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir());
    if !is_directory {
        let _ = fs::remove_file(path);
        fs::create_dir(path).map_err(|e| failed(path, e))?;
    }
    // The root of a file system that somebody else mounted keeps its mode.
    let _ = fs::set_permissions(path, fs::Permissions::from_mode(mode));
    Ok(())
}

fn failed(path: impl AsRef<Path>, source: io::Error) -> RootError {
    RootError::File {
        path: path.as_ref().to_owned(),
        source,
    }
}

fn c(text: &str) -> CString {
    CString::new(text).expect("our own words have no NUL")
}
