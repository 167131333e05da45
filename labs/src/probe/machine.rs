//! The inner stage as the outer one sees it, and the list of the learner's processes.

use kernel::procfs::process::pids;
use kernel::procfs::{NamespaceKind, Process, Stat, Status};

use super::ProbeError;
use super::bounds;

/// The learner's machine: the first process of its inner stage stands for it.
#[derive(Debug)]
pub struct Machine {
    init: Process,
    /// How many pid namespaces lie between `/proc` and the machine's own.
    depth: usize,
    /// The user namespace of whoever looks: the platform's own processes live there.
    outer_user: Option<u64>,
}

/// One process as it was listed: plain data, no descriptor.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Pid in `/proc`; never shown to learners.
    pub(crate) pid: i32,
    /// `stat` at the time of the list.
    pub(crate) stat: Stat,
    /// `status` at the time of the list.
    pub(crate) status: Status,
    /// Name.
    pub(crate) comm: String,
    /// Pid in the machine.
    pub(crate) inner_pid: i32,
}

impl Entry {
    /// Takes a handle on this very process; `None` when it has ended.
    pub(crate) fn open(&self) -> Option<Process> {
        let process = Process::open(self.pid).ok()?;
        let stat = process.stat().ok()?;
        (stat.start_time == self.stat.start_time).then_some(process)
    }

    /// What names this process for ever: pid and start time.
    pub(crate) fn identity(&self) -> (i32, u64) {
        (self.pid, self.stat.start_time)
    }
}

impl Machine {
    /// The machine whose inner stage has `stage_pid` as its first process.
    pub fn open(stage_pid: i32) -> Result<Self, ProbeError> {
        let init = Process::open(stage_pid)?;
        let depth = init.status()?.pids.len().saturating_sub(1);
        let me = Process::open(std::process::id().cast_signed())?;
        let outer_user = me.namespace(NamespaceKind::User)?;
        Ok(Self {
            init,
            depth,
            outer_user,
        })
    }

    /// The first process of the inner stage.
    pub(crate) fn init(&self) -> &Process {
        &self.init
    }

    /// The machine's own namespace of a kind.
    pub(crate) fn namespace(&self, kind: NamespaceKind) -> Result<Option<u64>, ProbeError> {
        Ok(self.init.namespace(kind)?)
    }

    /// Whether the machine still runs.
    pub fn alive(&self) -> bool {
        !self.init.ended().unwrap_or(true)
    }

    /// The pids of a process from the machine's namespace inwards.
    pub(crate) fn inner_pids<'a>(&self, status: &'a Status) -> &'a [i32] {
        status.pids.get(self.depth..).unwrap_or_default()
    }

    /// Describes one process, the first of the inner stage included.
    pub(crate) fn entry(&self, process: &Process) -> Result<Entry, ProbeError> {
        let status = process.status()?;
        let inner_pid = self.inner_pids(&status).first().copied().unwrap_or(0);
        Ok(Entry {
            pid: process.pid(),
            stat: process.stat()?,
            comm: bounds::words(&process.comm()?),
            inner_pid,
            status,
        })
    }

    /// The learner's processes, in ascending order of start time.
    ///
    /// They are those of the machine's pid namespace and below, without its first process and
    /// without processes that have not (yet) left the platform's own user namespace.
    pub(crate) fn processes(&self) -> Result<Vec<Entry>, ProbeError> {
        let inner_user = self.namespace(NamespaceKind::User)?;
        let mut entries = Vec::new();
        for pid in pids()? {
            if pid == self.init.pid() {
                continue;
            }
            match self.learners(pid, inner_user) {
                Ok(Some(entry)) => entries.push(entry),
                Ok(None) | Err(ProbeError::Gone) => {}
                Err(e) => return Err(e),
            }
        }
        entries.sort_by_key(|e| (e.stat.start_time, e.pid));
        Ok(entries)
    }

    fn learners(&self, pid: i32, inner_user: Option<u64>) -> Result<Option<Entry>, ProbeError> {
        let process = Process::open(pid)?;
        let entry = self.entry(&process)?;
        if entry.inner_pid == 0 || entry.stat.state == 'Z' {
            return Ok(None);
        }
        if inner_user != self.outer_user {
            let user = process.namespace(NamespaceKind::User)?;
            if user == self.outer_user {
                return Ok(None);
            }
        }
        Ok(Some(entry))
    }
}
