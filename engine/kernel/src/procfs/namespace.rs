//! `/proc/PID/ns/KIND`; see namespaces(7).

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// A kind of namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NamespaceKind {
    /// cgroup_namespaces(7)
    Cgroup,
    /// ipc_namespaces(7)
    Ipc,
    /// mount_namespaces(7)
    Mnt,
    /// network_namespaces(7)
    Net,
    /// pid_namespaces(7)
    Pid,
    /// time_namespaces(7)
    Time,
    /// user_namespaces(7)
    User,
    /// uts_namespaces(7)
    Uts,
}

impl NamespaceKind {
    /// Every kind, in alphabetical order.
    pub const ALL: [Self; 8] = [
        Self::Cgroup,
        Self::Ipc,
        Self::Mnt,
        Self::Net,
        Self::Pid,
        Self::Time,
        Self::User,
        Self::Uts,
    ];

    /// Its name in `/proc/PID/ns`.
    pub fn name(self) -> &'static str {
        &self.file()[3..]
    }

    /// Its file below `/proc/PID`.
    pub fn file(self) -> &'static str {
        match self {
            Self::Cgroup => "ns/cgroup",
            Self::Ipc => "ns/ipc",
            Self::Mnt => "ns/mnt",
            Self::Net => "ns/net",
            Self::Pid => "ns/pid",
            Self::Time => "ns/time",
            Self::User => "ns/user",
            Self::Uts => "ns/uts",
        }
    }
}

/// The inode in a link such as `uts:[4026531838]`.
pub fn inode(link: &OsStr) -> Option<u64> {
    let text = std::str::from_utf8(link.as_bytes()).ok()?;
    let (_, number) = text.strip_suffix(']')?.split_once(":[")?;
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inode_is_read_from_its_link() {
        assert_eq!(inode(OsStr::new("uts:[4026531838]")), Some(4_026_531_838));
        assert_eq!(inode(OsStr::new("/etc/passwd")), None);
        assert_eq!(NamespaceKind::Uts.name(), "uts");
    }
}
