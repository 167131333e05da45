//! A process as its directory in `/proc`, held by descriptor.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Error, ErrorKind, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::PathBuf;

use nix::fcntl::{OFlag, openat, readlinkat};
use nix::sys::stat::Mode;

use super::{MountInfo, NamespaceKind, Stat, Status, mountinfo, namespace, stat, status};
use crate::error::SysError;

/// No file of a process is larger, except a `mountinfo` made to be.
const LARGEST: u64 = 4 << 20;

/// One process: its pid, a pidfd that tells when it ends, and its directory in `/proc`.
///
/// Once the process is reaped every read fails with `ESRCH`, even when its pid is used again.
#[derive(Debug)]
pub struct Process {
    pid: i32,
    pidfd: OwnedFd,
    dir: OwnedFd,
}

impl Process {
    /// Takes a handle on the process that has `pid` now, in the pid namespace of `/proc`.
    pub fn open(pid: i32) -> Result<Self, SysError> {
        let path = format!("/proc/{pid}");
        let pidfd = pidfd_open(pid).map_err(|e| e.on(path.as_str()))?;
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let dir = nix::fcntl::open(path.as_str(), flags, Mode::empty())
            .map_err(|e| failed("open", e.into(), &path))?;
        let process = Self { pid, pidfd, dir };
        // Had the pid been recycled between both opens, the pidfd would name a dead process.
        if process.ended()? {
            return Err(failed("open", Error::from_raw_os_error(libc::ESRCH), &path));
        }
        Ok(process)
    }

    /// Its pid in the pid namespace of `/proc`.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Readable once the process has ended.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Whether the process has ended, reaped or not.
    pub fn ended(&self) -> Result<bool, SysError> {
        let set = [(self.pidfd(), crate::poll::Interest::Read)];
        let ready = crate::poll::wait(&set, Some(std::time::Duration::ZERO))?;
        Ok(ready[0].any())
    }

    /// `stat`: parent, terminal, start time.
    pub fn stat(&self) -> Result<Stat, SysError> {
        let text = self.read("stat")?;
        stat::parse(&text).ok_or_else(|| self.malformed("stat"))
    }

    /// `status`: ids, pids in each namespace, capabilities.
    pub fn status(&self) -> Result<Status, SysError> {
        let text = self.read("status")?;
        status::parse(&text).ok_or_else(|| self.malformed("status"))
    }

    /// `mountinfo`: the mounts of its mount namespace that are under its root.
    pub fn mountinfo(&self) -> Result<Vec<MountInfo>, SysError> {
        let text = self.read("mountinfo")?;
        mountinfo::parse(&text).ok_or_else(|| self.malformed("mountinfo"))
    }

    /// The inode of one of its namespaces; `None` when this kernel has no such kind.
    pub fn namespace(&self, kind: NamespaceKind) -> Result<Option<u64>, SysError> {
        match self.link(kind.file()) {
            Ok(target) => Ok(namespace::inode(&target)),
            Err(e) if e.source.kind() == ErrorKind::NotFound && !self.ended()? => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// A descriptor of one of its namespaces, for setns(2).
    pub fn open_namespace(&self, kind: NamespaceKind) -> Result<OwnedFd, SysError> {
        self.open_file(kind.file(), OFlag::O_RDONLY)
    }

    /// `comm`: at most 15 bytes, chosen by the process.
    pub fn comm(&self) -> Result<Vec<u8>, SysError> {
        let mut text = self.read("comm")?;
        text.pop_if(|last| *last == b'\n');
        Ok(text)
    }

    /// `cmdline`: its arguments, chosen by the process; none for a zombie.
    pub fn arguments(&self) -> Result<Vec<Vec<u8>>, SysError> {
        let text = self.read("cmdline")?;
        let text = text.strip_suffix(b"\0").unwrap_or(&text);
        if text.is_empty() {
            return Ok(Vec::new());
        }
        Ok(text.split(|b| *b == 0).map(<[u8]>::to_vec).collect())
    }

    /// `uid_map` of its user namespace, in terms of the reader's.
    pub fn uid_map(&self) -> Result<Vec<IdExtent>, SysError> {
        Ok(id_map(&self.read("uid_map")?))
    }

    /// `gid_map` of its user namespace, in terms of the reader's.
    pub fn gid_map(&self) -> Result<Vec<IdExtent>, SysError> {
        Ok(id_map(&self.read("gid_map")?))
    }

    /// `setgroups`: `allow` or `deny`.
    pub fn setgroups(&self) -> Result<String, SysError> {
        let text = self.read("setgroups")?;
        Ok(String::from_utf8_lossy(&text).trim_end().to_owned())
    }

    /// `cgroup`: one line per hierarchy, paths seen from the reader's cgroup namespace.
    pub fn cgroup(&self) -> Result<Vec<u8>, SysError> {
        self.read("cgroup")
    }

    /// The target of `exe`, `cwd` or `root`, as a path of the process's mount namespace.
    pub fn path(&self, link: ProcessLink) -> Result<PathBuf, SysError> {
        self.link(link.file()).map(PathBuf::from)
    }

    /// Its root directory, to resolve paths below.
    pub fn root(&self) -> Result<OwnedFd, SysError> {
        self.open_file("root", OFlag::O_PATH | OFlag::O_DIRECTORY)
    }

    fn link(&self, name: &str) -> Result<OsString, SysError> {
        readlinkat(&self.dir, name).map_err(|e| failed("readlink", e.into(), &self.object(name)))
    }

    fn open_file(&self, name: &str, flags: OFlag) -> Result<OwnedFd, SysError> {
        openat(&self.dir, name, flags | OFlag::O_CLOEXEC, Mode::empty())
            .map_err(|e| failed("open", e.into(), &self.object(name)))
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, SysError> {
        let file = File::from(self.open_file(name, OFlag::O_RDONLY)?);
        let mut text = Vec::new();
        file.take(LARGEST + 1)
            .read_to_end(&mut text)
            .map_err(|e| failed("read", e, &self.object(name)))?;
        if text.len() as u64 > LARGEST {
            let error = Error::from_raw_os_error(libc::EFBIG);
            return Err(failed("read", error, &self.object(name)));
        }
        Ok(text)
    }

    fn malformed(&self, name: &str) -> SysError {
        failed("parse", ErrorKind::InvalidData.into(), &self.object(name))
    }

    fn object(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.pid)
    }
}

/// A link of a process's directory that leads to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessLink {
    /// Its program.
    Exe,
    /// Its working directory.
    Cwd,
    /// Its root directory.
    Root,
}

impl ProcessLink {
    /// The file's name in `/proc/PID`.
    pub fn file(self) -> &'static str {
        match self {
            Self::Exe => "exe",
            Self::Cwd => "cwd",
            Self::Root => "root",
        }
    }
}

/// One line of `uid_map` or `gid_map`; see user_namespaces(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdExtent {
    /// First id inside.
    pub inside: u32,
    /// First id outside, in the reader's user namespace.
    pub outside: u32,
    /// How many ids.
    pub length: u32,
}

/// Every pid that `/proc` shows now, in ascending order.
pub fn pids() -> Result<Vec<i32>, SysError> {
    let unreadable = |e| failed("readdir", e, "/proc");
    let mut pids = Vec::new();
    for entry in std::fs::read_dir("/proc").map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        pids.extend(name.to_str().and_then(|n| n.parse::<i32>().ok()));
    }
    pids.sort_unstable();
    Ok(pids)
}

fn id_map(text: &[u8]) -> Vec<IdExtent> {
    let text = String::from_utf8_lossy(text);
    let extent = |line: &str| {
        let mut words = line.split_ascii_whitespace().map(|w| w.parse().ok());
        Some(IdExtent {
            inside: words.next()??,
            outside: words.next()??,
            length: words.next()??,
        })
    };
    text.lines().filter_map(extent).collect()
}

fn pidfd_open(pid: i32) -> Result<OwnedFd, SysError> {
    // SAFETY: pidfd_open(2) takes two integers and touches no memory of ours.
    let ret = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    SysError::check("pidfd_open", ret)?;
    let fd = i32::try_from(ret).expect("a descriptor is a small integer");
    // SAFETY: the kernel has just returned this descriptor and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn failed(call: &'static str, source: Error, object: &str) -> SysError {
    SysError {
        call,
        object: Some(object.into()),
        source,
    }
}

/// The path under which an open descriptor can be opened again, see proc_pid_fd(5).
pub fn descriptor_path(fd: BorrowedFd<'_>) -> PathBuf {
    format!("/proc/self/fd/{}", fd.as_raw_fd()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_reads_itself() {
        let me = Process::open(std::process::id().cast_signed()).unwrap();
        let status = me.status().unwrap();
        assert_eq!(status.pids[0], me.pid());
        assert_eq!(me.path(ProcessLink::Root).unwrap(), PathBuf::from("/"));
        let mounts = me.mountinfo().unwrap();
        assert!(
            mounts
                .iter()
                .any(|m| m.mount_point == b"/proc" && m.fs_type == b"proc")
        );
        assert!(me.namespace(NamespaceKind::Uts).unwrap().is_some());
        assert!(!me.ended().unwrap());
        let arguments = me.arguments().unwrap();
        assert!(!arguments.is_empty());
    }

    #[test]
    fn a_dead_process_cannot_be_read_any_more() {
        let mut child = std::process::Command::new("/bin/sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let handle = Process::open(child.id().cast_signed()).unwrap();
        assert!(!handle.comm().unwrap().is_empty());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(handle.ended().unwrap());
        assert_eq!(
            handle.stat().unwrap_err().source.raw_os_error(),
            Some(libc::ESRCH)
        );
        assert!(Process::open(child.id().cast_signed()).is_err());
    }

    #[test]
    fn an_id_map_has_one_extent_per_line() {
        let extents =
            id_map(b"         0       1000          1\n         1     100000      65536\n");
        let first = IdExtent {
            inside: 0,
            outside: 1000,
            length: 1,
        };
        let second = IdExtent {
            inside: 1,
            outside: 100_000,
            length: 65536,
        };
        assert_eq!(extents, [first, second]);
    }
}
