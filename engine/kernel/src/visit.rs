//! A glance into another namespace: a fresh thread enters it, reads, and ends; see setns(2).
//!
//! The namespaces offered here belong to a thread, not to a process, so that the rest of the
//! process never leaves its own. The reader needs `CAP_SYS_ADMIN` over the namespace's owner.

use std::os::fd::BorrowedFd;

use nix::sched::CloneFlags;

use crate::error::SysError;

/// The node name in the UTS namespace `ns`; see uname(2). Its bytes are chosen by users.
pub fn hostname(ns: BorrowedFd<'_>) -> Result<Vec<u8>, SysError> {
    inside(ns, CloneFlags::CLONE_NEWUTS, || {
        let names = nix::sys::utsname::uname().map_err(|e| SysError {
            call: "uname",
            object: None,
            source: e.into(),
        })?;
        Ok(std::os::unix::ffi::OsStrExt::as_bytes(names.nodename()).to_vec())
    })
}

/// A table of System V objects, as sysvipc(7) describes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SysvTable {
    /// Message queues.
    Msg,
    /// Semaphore sets.
    Sem,
    /// Shared memory segments.
    Shm,
}

impl SysvTable {
    /// Its file.
    pub fn path(self) -> &'static str {
        match self {
            Self::Msg => "/proc/sysvipc/msg",
            Self::Sem => "/proc/sysvipc/sem",
            Self::Shm => "/proc/sysvipc/shm",
        }
    }
}

/// One System V object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SysvObject {
    /// The key it was made with; 0 is `IPC_PRIVATE`.
    pub key: u32,
    /// Its identifier.
    pub id: i64,
    /// Bytes of a shared memory segment; 0 for other kinds.
    pub size: u64,
}

/// The System V objects of one kind in the IPC namespace `ns`.
///
/// The table's content is decided by the namespace of the thread that opens it.
pub fn sysv_objects(ns: BorrowedFd<'_>, table: SysvTable) -> Result<Vec<SysvObject>, SysError> {
    let text = inside(ns, CloneFlags::CLONE_NEWIPC, || {
        std::fs::read_to_string(table.path()).map_err(|source| SysError {
            call: "read",
            object: Some(table.path().into()),
            source,
        })
    })?;
    Ok(objects(&text, table))
}

/// Does something in the network namespace `ns`, such as making a socket that stays in it.
pub(crate) fn network<T: Send>(
    ns: BorrowedFd<'_>,
    work: impl FnOnce() -> Result<T, SysError> + Send,
) -> Result<T, SysError> {
    inside(ns, CloneFlags::CLONE_NEWNET, work)
}

fn objects(text: &str, table: SysvTable) -> Vec<SysvObject> {
    // key, identifier, permissions, then the size for shared memory; the first line is a title.
    let object = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let key: i64 = words.next()?.parse().ok()?;
        let id = words.next()?.parse().ok()?;
        let size = match table {
            SysvTable::Shm => words.nth(1)?.parse().ok()?,
            SysvTable::Msg | SysvTable::Sem => 0,
        };
        // The kernel prints the 32 bits of the key as a signed number.
        let key = u32::try_from(key & 0xffff_ffff).expect("masked to 32 bits");
        Some(SysvObject { key, id, size })
    };
    text.lines().skip(1).filter_map(object).collect()
}

fn inside<T: Send>(
    ns: BorrowedFd<'_>,
    kind: CloneFlags,
    read: impl FnOnce() -> Result<T, SysError> + Send,
) -> Result<T, SysError> {
    std::thread::scope(|scope| {
        let visitor = scope.spawn(move || {
            nix::sched::setns(ns, kind).map_err(|e| SysError {
                call: "setns",
                object: None,
                source: e.into(),
            })?;
            read()
        });
        visitor.join().expect("the visitor does not panic")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_system_v_objects_are_read() {
        let text = "       key      shmid perms                  size  cpid  lpid nattch\n1543503872          3   644                  4096  9000     0      0\n        -2          4   600               1048576     1     1      1\n";
        let found = objects(text, SysvTable::Shm);
        assert_eq!(
            (found[0].key, found[0].id, found[0].size),
            (1_543_503_872, 3, 4096)
        );
        assert_eq!((found[1].key, found[1].size), (0xffff_fffe, 1_048_576));
    }
}
