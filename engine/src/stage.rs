//! Where containers are started: on this host, or inside the inner stage of a machine.

use serde::{Deserialize, Serialize};

/// Where containers are started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Where the engine itself runs.
    #[default]
    Host,
    /// Inside the namespaces of this process (`--stage-pid`), the inner stage's PID 1 as the
    /// engine's `/proc` names it.
    Inner {
        /// Its pid.
        pid: u32,
    },
}

impl Stage {
    /// Path under which the engine finds a namespace of the stage: `net`, `pid`, …
    pub fn namespace_path(&self, name: &str) -> std::path::PathBuf {
        match self {
            Self::Host => format!("/proc/self/ns/{name}").into(),
            Self::Inner { pid } => format!("/proc/{pid}/ns/{name}").into(),
        }
    }
}
