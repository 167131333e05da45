//! The conversation between the keeper and the inner init.
//!
//! ```text
//! keeper                                   machine-init
//!   fork, exec ───────────────────────────► unshare(USER)
//!        ◄───────────────────── Isolated ──
//!   maps, control group
//!        ── Go ────────────────────────────► unshare(NETWORK, UTS, IPC, CGROUP)
//!        ◄───────────────────── Networked ─
//!   sysfs of that network at /machine/sys; the link of an open machine
//!        ── Build ─────────────────────────► clone(PID, MOUNT)
//!        ◄──────────── Init {pid}, pidfd ───  (ends; its child is PID 1)
//!        ◄──────────── Ready, docker.sock ──
//!        ── Terminal | Run ────────────────►
//!        ◄────────── Opened, descriptors ───
//! ```

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::machine::cable::Cable;

/// What the keeper says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromKeeper {
    /// The next step may be taken.
    Go,
    /// The network is as it shall be: build the root.
    Build {
        /// Whom programs ask about names; nobody in a closed machine.
        nameservers: Vec<Ipv4Addr>,
        /// Names of the exercise's machines, when there are two.
        cable: Option<Cable>,
    },
    /// Start a login shell on a new terminal.
    Terminal {
        /// Width in cells.
        cols: u16,
        /// Height in cells.
        rows: u16,
    },
    /// Start a program without a terminal.
    Run {
        /// The program and its arguments.
        argv: Vec<String>,
    },
}

/// What the inner init says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromInit {
    /// It is in its user namespace, without ids.
    Isolated,
    /// It is in its network namespace.
    Networked,
    /// PID 1 exists; with its pidfd.
    Init {
        /// Its number in the outer stage.
        pid: i32,
    },
    /// The machine's root is built; with the listening docker socket.
    Ready,
    /// A program runs. After `Terminal`: the terminal's master and a pidfd. After `Run`: the
    /// program's input, its output, and a pipe that tells its exit code as a line.
    Opened,
    /// It could not be done.
    Failed {
        /// What and why.
        why: String,
        /// What the kernel answered; 0 when it was not asked.
        errno: i32,
    },
}
