//! Hooks: programs a bundle wants run at the turns of a container's life; see the OCI runtime
//! specification, "POSIX-platform Hooks".

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// All hooks of a container, and what each reads of it on its standard input.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hooks {
    /// When the namespaces exist, in the runtime's; the older name of the next.
    pub prestart: Vec<Hook>,
    /// When the namespaces exist, in the runtime's.
    pub create_runtime: Vec<Hook>,
    /// Before the root is entered, in the container's namespaces.
    pub create_container: Vec<Hook>,
    /// Before the program is executed, in the container.
    pub start_container: Vec<Hook>,
    /// When the program runs, in the runtime's namespaces.
    pub poststart: Vec<Hook>,
    /// When the container is deleted, in the runtime's namespaces.
    pub poststop: Vec<Hook>,
    /// What they are told of the container.
    pub subject: Subject,
}

/// The part of a container's state that does not change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// The version of the specification the bundle follows.
    pub oci_version: String,
    /// Of the container.
    pub id: String,
    /// The bundle's directory.
    pub bundle: PathBuf,
    /// Of the bundle.
    pub annotations: BTreeMap<String, String>,
}

/// One program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// Absolute path.
    pub path: PathBuf,
    /// Its arguments, with its own name first.
    pub args: Vec<String>,
    /// Its whole environment.
    pub env: Vec<String>,
    /// Seconds after which it is killed and has failed.
    pub timeout: Option<u64>,
}

impl Hooks {
    /// Whether the process must stop before it enters the root.
    pub(crate) fn before_the_root(&self) -> bool {
        let lists = [&self.prestart, &self.create_runtime, &self.create_container];
        lists.iter().any(|list| !list.is_empty())
    }
}

impl Subject {
    /// The state as hooks and `state` show it; see the specification, "State".
    pub fn state(&self, status: &str, pid: Option<i32>) -> serde_json::Value {
        let mut state = serde_json::json!({
            "ociVersion": self.oci_version,
            "id": self.id,
            "status": status,
        });
        if let Some(pid) = pid {
            state["pid"] = pid.into();
        }
        state["bundle"] = self.bundle.to_string_lossy().into();
        if !self.annotations.is_empty() {
            let annotations = self.annotations.iter();
            state["annotations"] = annotations
                .map(|(key, value)| (key.clone(), value.clone().into()))
                .collect::<serde_json::Map<_, _>>()
                .into();
        }
        state
    }
}
