//! What a machine may use, and what it may reach.

use serde::{Deserialize, Serialize};

/// What one machine may use at most.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    /// Bytes of memory; there is no swap besides.
    pub(crate) memory: u64,
    /// Processes and threads.
    pub(crate) pids: u64,
    /// Processors, such as 1.5.
    pub(crate) cpu: f64,
    /// Bytes of disk.
    pub(crate) disk: u64,
    /// Open descriptors of one process.
    pub(crate) open_files: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 768 << 20,
            pids: 1024,
            cpu: 1.0,
            disk: 4 << 30,
            open_files: 8192,
        }
    }
}

/// Where the machine's packets may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Network {
    /// Nowhere but inside the machine.
    #[default]
    Closed,
    /// To other networks, through the host.
    Open,
}

/// What counts against a machine as a whole rather than against one process, and where the outer
/// stage writes it: `/proc/sys/user`. The inner stage cannot raise it.
pub(crate) const KERNEL_OBJECTS: [(&str, u32); 12] = [
    ("max_user_namespaces", 32),
    ("max_pid_namespaces", 256),
    ("max_mnt_namespaces", 256),
    ("max_net_namespaces", 64),
    ("max_uts_namespaces", 256),
    ("max_ipc_namespaces", 256),
    ("max_cgroup_namespaces", 256),
    ("max_time_namespaces", 64),
    ("max_inotify_instances", 128),
    ("max_inotify_watches", 65_536),
    ("max_fanotify_groups", 32),
    ("max_fanotify_marks", 8192),
];

/// Pseudo-terminals of the inner stage.
pub(crate) const TERMINALS: u32 = 64;

/// User and group ids of one machine.
pub(crate) const IDS: u32 = 65_536;
