//! The conversation between the helper and the outer stage while it is being made.
//!
//! ```text
//! helper                                   first child
//!   fork ─────────────────────────────────► setuid(base), unshare(USER)
//!        ◄───────────────────── Isolated ──
//!   maps, keeps the namespace open
//!        ── Go ────────────────────────────► (ends)
//!
//!   idmapped, detached mounts               second child, still the host's root
//!   fork ─────────────────────────────────► unshare(MOUNT), attaches them, joins the namespace
//!   puts it into its control group
//!        ── Go ────────────────────────────► clone(PID, MOUNT, NETWORK, CGROUP, IPC, UTS)
//!        ◄──────────── Keeper {pid}, pidfd ─   (ends; its child executes `quai keeper`)
//!   moves the keeper to outer/, makes the link of an open machine
//!        ── Build, listening socket ───────► builds M1, starts the inner stage
//!        ◄──────────────── Ready | Failed ──
//! ```

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::cable::Cable;
use super::identity::MachineId;
use super::spec::Limits;
use super::uplink::Uplink;

/// What the helper says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromHelper {
    /// The next step may be taken.
    Go,
    /// The keeper shall build the machine; with the listening socket.
    Build(Build),
}

/// Where the second child attaches what the helper prepared, for the keeper to find in its copy of
/// the mounts. The kernel locks what is copied into another user namespace: the keeper cannot make
/// the catalogue writable.
pub(crate) const HANDOVER: &str = "/tmp";

/// The names below [`HANDOVER`].
pub(crate) const DISK: &str = "disk";
/// The catalogue.
pub(crate) const STORE: &str = "store";
/// The executable.
pub(crate) const EXECUTABLE: &str = "quai";

/// What the keeper must know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Build {
    /// Which machine.
    pub(crate) id: MachineId,
    /// Layers of the root, the highest first, relative to the catalogue.
    pub(crate) lowers: Vec<PathBuf>,
    /// What it may use.
    pub(crate) limits: Limits,
    /// Its way out: `eth0` waits in the network of the outer stage.
    pub(crate) uplink: Option<Uplink>,
    /// Its end of the link to the exercise's other machine, which comes and goes with that machine.
    pub(crate) cable: Option<Cable>,
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
