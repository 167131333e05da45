//! The conversation between the helper and the outer stage while it is being made.
//!
//! ```text
//! helper                                   stage
//!   fork ─────────────────────────────────► setuid(base), unshare(USER)
//!        ◄───────────────────── Isolated ──
//!   maps, control groups, idmapped mounts
//!        ── Mapped ────────────────────────► clone(PID, MOUNT, NETWORK, CGROUP, IPC, UTS)
//!        ◄────────── Keeper {pid}, pidfd ──   (ends; its child executes `quai keeper`)
//!   moves the keeper to outer/
//!        ── Build, descriptors ────────────► builds M1, starts the inner stage
//!        ◄──────────────── Ready | Failed ──
//! ```

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::identity::MachineId;
use super::spec::Limits;

/// What the helper says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromHelper {
    /// The user namespace has its ids.
    Mapped,
    /// The keeper shall build the machine. Descriptors: [`BUILD_DESCRIPTORS`], in that order.
    Build(Build),
}

/// Disk, catalogue, executable, listening socket.
pub(crate) const BUILD_DESCRIPTORS: usize = 4;

/// What the keeper must know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Build {
    /// Which machine.
    pub(crate) id: MachineId,
    /// Layers of the root, the highest first, relative to the catalogue.
    pub(crate) lowers: Vec<PathBuf>,
    /// What it may use.
    pub(crate) limits: Limits,
}

/// What the stage says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromStage {
    /// It is in its user namespace, without ids.
    Isolated,
    /// The keeper exists; with its pidfd.
    Keeper {
        /// Its number on the host.
        pid: i32,
    },
    /// The machine can be used.
    Ready,
    /// Something failed; the stage ends.
    Failed {
        /// What and why.
        why: String,
    },
}

/// The descriptor on which keeper and inner init inherit their channel.
pub(crate) const CHANNEL: i32 = 3;

/// The whole story of an error: itself and its sources.
pub(crate) fn story(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
