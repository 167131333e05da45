//! Facts of one process: ids, names, credentials.

use std::os::unix::ffi::OsStrExt;

use kernel::procfs::Process;
use kernel::procfs::process::{IdExtent, ProcessLink};
use kernel::procfs::status::capability_names;

use super::bounds::{int, list, text};
use super::{Entry, Machine, ProbeError, file, ipc, mount, namespace};
use crate::exercise::Value;
use crate::fact::{ProcessFact, ProcessWord};

/// One process, and what is needed to say what it looks like from the machine.
#[derive(Clone, Copy, Debug)]
pub struct ProcessProbe<'a> {
    /// The machine it lives in.
    pub machine: &'a Machine,
    /// All of the learner's processes.
    pub table: &'a [Entry],
    /// It as it was listed.
    pub entry: &'a Entry,
    /// It.
    pub process: &'a Process,
}

impl ProcessProbe<'_> {
    /// Reads one fact; `None` when there is no such value.
    pub fn read(&self, fact: &ProcessFact) -> Result<Option<Value>, ProbeError> {
        match fact {
            ProcessFact::Word(word) => self.word(*word),
            ProcessFact::Namespace(kind) => Ok(self.process.namespace(*kind)?.map(int)),
            ProcessFact::PrivateNamespaces => namespace::private(self).map(Some),
            ProcessFact::Ipc(table, field) => ipc::read(self, *table, *field).map(Some),
            ProcessFact::Mounts => mount::points(self).map(Some),
            ProcessFact::Mount(point, field) => mount::read(self, point, *field),
            ProcessFact::File(path, field) => file::read(self, path, *field),
        }
    }

    /// The kernel file a fact is read from, with the pid that the learner sees.
    pub fn source(&self, fact: &ProcessFact) -> String {
        let file = match fact {
            ProcessFact::Word(word) => file_of(*word),
            ProcessFact::Namespace(kind) => kind.file(),
            ProcessFact::PrivateNamespaces => "ns",
            ProcessFact::Ipc(table, _) => return table.table().path().into(),
            ProcessFact::Mounts | ProcessFact::Mount(..) => "mountinfo",
            ProcessFact::File(path, _) => return path.clone(),
        };
        format!("/proc/{}/{file}", self.entry.inner_pid)
    }

    fn word(&self, word: ProcessWord) -> Result<Option<Value>, ProbeError> {
        let status = &self.entry.status;
        let inner_pids = self.machine.inner_pids(status);
        let sets = status.capabilities;
        let value = match word {
            ProcessWord::Pid => int(self.entry.inner_pid),
            ProcessWord::Ppid => int(self.parent(self.entry).map_or(0, |p| p.inner_pid)),
            ProcessWord::NsPid => list(inner_pids.iter().copied().map(int)),
            ProcessWord::PidInside => int(inner_pids.last().copied().unwrap_or(0)),
            ProcessWord::Ancestors => list(self.ancestors()),
            ProcessWord::Children => list(self.children()),
            ProcessWord::Comm => Value::Text(self.entry.comm.clone()),
            ProcessWord::Argv => list(self.process.arguments()?.iter().map(|a| text(a))),
            ProcessWord::Argv0 => return self.argv0(),
            ProcessWord::Exe => return self.path(ProcessLink::Exe).map(Some),
            ProcessWord::Cwd => return self.path(ProcessLink::Cwd).map(Some),
            ProcessWord::Root => return self.path(ProcessLink::Root).map(Some),
            ProcessWord::Tty => return Ok(self.entry.stat.terminal.map(terminal)),
            ProcessWord::State => Value::Text(self.entry.stat.state.into()),
            ProcessWord::Uid => int(status.uid),
            ProcessWord::Gid => int(status.gid),
            ProcessWord::UidInside => return Ok(inside(&self.process.uid_map()?, status.uid)),
            ProcessWord::GidInside => return Ok(inside(&self.process.gid_map()?, status.gid)),
            ProcessWord::UidMap => list(self.process.uid_map()?.iter().map(extent)),
            ProcessWord::GidMap => list(self.process.gid_map()?.iter().map(extent)),
            ProcessWord::RootOutside => return Ok(root_outside(&self.process.uid_map()?)),
            ProcessWord::Setgroups => Value::Text(self.process.setgroups()?),
            ProcessWord::CapEff => names(sets.effective),
            ProcessWord::CapPrm => names(sets.permitted),
            ProcessWord::CapInh => names(sets.inheritable),
            ProcessWord::CapBnd => names(sets.bounding),
            ProcessWord::CapAmb => names(sets.ambient),
            ProcessWord::NoNewPrivs => int(status.no_new_privs),
            ProcessWord::Seccomp => int(status.seccomp),
            ProcessWord::Hostname => namespace::hostname(self)?,
            ProcessWord::Container => {
                return Ok(container(&self.process.cgroup()?).map(Value::Text));
            }
            ProcessWord::ProcNs => return mount::proc_namespace(self),
            ProcessWord::OldRoot => return mount::old_root(self),
        };
        Ok(Some(value))
    }

    fn parent(&self, of: &Entry) -> Option<&Entry> {
        self.table.iter().find(|e| e.pid == of.stat.parent)
    }

    fn ancestors(&self) -> Vec<Value> {
        let mut line = vec![int(self.entry.inner_pid)];
        let mut next = self.parent(self.entry);
        while let Some(entry) = next
            && line.len() < 64
        {
            line.push(int(entry.inner_pid));
            next = self.parent(entry);
        }
        line
    }

    fn children(&self) -> impl Iterator<Item = Value> {
        let mine = self.entry.pid;
        let children = self.table.iter().filter(move |e| e.stat.parent == mine);
        children.map(|e| Value::Text(e.comm.clone()))
    }

    fn argv0(&self) -> Result<Option<Value>, ProbeError> {
        let arguments = self.process.arguments()?;
        let Some(first) = arguments.first() else {
            return Ok(None);
        };
        let name = first.rsplit(|b| *b == b'/').next().unwrap_or(first);
        // A login shell is told so by a leading hyphen.
        Ok(Some(text(name.strip_prefix(b"-").unwrap_or(name))))
    }

    fn path(&self, link: ProcessLink) -> Result<Value, ProbeError> {
        let path = self.process.path(link)?;
        Ok(text(path.as_os_str().as_bytes()))
    }
}

fn names(set: u64) -> Value {
    list(capability_names(set).into_iter().map(Value::Text))
}

/// The kernel's major numbers of terminals; see Documentation/admin-guide/devices.txt.
fn terminal((major, minor): (u32, u32)) -> Value {
    Value::Text(match major {
        136..=143 => format!("pts/{}", minor + ((major - 136) << 20)),
        4 if minor < 64 => format!("tty{minor}"),
        5 if minor == 1 => "console".into(),
        _ => format!("{major}:{minor}"),
    })
}

fn extent(e: &IdExtent) -> Value {
    Value::Text(format!("{} {} {}", e.inside, e.outside, e.length))
}

/// What an id of the machine is inside, if the map has it.
fn inside(map: &[IdExtent], id: u32) -> Option<Value> {
    map.iter().find_map(|e| {
        let offset = id.checked_sub(e.outside).filter(|o| *o < e.length)?;
        Some(int(u64::from(e.inside) + u64::from(offset)))
    })
}

fn root_outside(map: &[IdExtent]) -> Option<Value> {
    let root = map.iter().find(|e| e.inside == 0)?;
    Some(int(root.outside))
}

/// The container whose cgroup a process is in: `…/docker/<64 hexadecimal digits>`.
fn container(cgroup: &[u8]) -> Option<String> {
    let text = words_of(cgroup);
    text.lines()
        .flat_map(|line| line.split('/'))
        .find(|part| part.len() == 64 && part.bytes().all(|b| b.is_ascii_hexdigit()))
        .map(str::to_owned)
}

fn words_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn file_of(word: ProcessWord) -> &'static str {
    match word {
        ProcessWord::Ppid
        | ProcessWord::Ancestors
        | ProcessWord::Children
        | ProcessWord::Tty
        | ProcessWord::State => "stat",
        ProcessWord::Comm => "comm",
        ProcessWord::Argv | ProcessWord::Argv0 => "cmdline",
        ProcessWord::Exe => ProcessLink::Exe.file(),
        ProcessWord::Cwd => ProcessLink::Cwd.file(),
        ProcessWord::Root => ProcessLink::Root.file(),
        ProcessWord::UidMap | ProcessWord::UidInside | ProcessWord::RootOutside => "uid_map",
        ProcessWord::GidMap | ProcessWord::GidInside => "gid_map",
        ProcessWord::Setgroups => "setgroups",
        ProcessWord::Hostname => "ns/uts",
        ProcessWord::Container => "cgroup",
        ProcessWord::ProcNs => "root/proc",
        ProcessWord::OldRoot => "mountinfo",
        _ => "status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_translated_through_the_map() {
        let map = [
            IdExtent {
                inside: 0,
                outside: 1000,
                length: 1,
            },
            IdExtent {
                inside: 1,
                outside: 100_000,
                length: 10,
            },
        ];
        assert_eq!(inside(&map, 1000), Some(Value::Int(0)));
        assert_eq!(inside(&map, 100_003), Some(Value::Int(4)));
        assert_eq!(inside(&map, 0), None);
        assert_eq!(root_outside(&map), Some(Value::Int(1000)));
    }

    #[test]
    fn a_container_is_known_by_its_cgroup() {
        let id = "ab".repeat(32);
        let text = format!("4:memory:/inner/docker/{id}\n0::/inner/docker/{id}/child\n");
        assert_eq!(container(text.as_bytes()), Some(id));
        assert_eq!(container(b"0::/inner\n4:pids:/inner/docker/short\n"), None);
    }

    #[test]
    fn terminals_have_names() {
        assert_eq!(terminal((136, 3)), Value::Text("pts/3".into()));
        assert_eq!(terminal((4, 1)), Value::Text("tty1".into()));
    }
}
