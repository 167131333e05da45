//! The control groups of a machine: limits on a group of the host's, children for the stages.
//!
//! ```text
//! quai/<id>          limits; belongs to the host; the keeper's cgroup namespace begins here
//! quai/<id>/outer    keeper, engine, watcher, shims
//! quai/<id>/inner    the learner; delegated; limits a little lower, so the keeper has room
//! ```
//!
//! A DATA other than the default one has a `quai-<hash>` of its own in place of `quai`.

use kernel::cgroup::{Cgroup, DeviceRule, Layout, Limit};
use kernel::error::SysError;

use crate::machine::data::DataDir;
use crate::machine::identity::MachineId;
use crate::machine::spec::Limits;

/// The groups of one machine.
pub(super) struct Groups {
    pub(super) machine: Cgroup,
    pub(super) outer: Cgroup,
    pub(super) inner: Cgroup,
}

/// What the keeper and the engine may use beyond the learner.
const ROOM_MEMORY: u64 = 128 << 20;
const ROOM_PIDS: u64 = 128;

impl Groups {
    /// The group that holds all machines of a DATA.
    pub(super) fn all(data: &DataDir) -> Result<Cgroup, SysError> {
        Ok(Cgroup::new(&Layout::detect()?, data.group()))
    }

    /// Removes the group of all machines unless it holds one: the last machine leaves nothing behind.
    pub(super) fn leave(data: &DataDir) {
        if let Ok(all) = Self::all(data) {
            for directory in all.directories() {
                // A group with children is not removed, and that is no error.
                let _ = std::fs::remove_dir(directory);
            }
        }
    }

    /// The groups of one machine, whether they exist or not.
    pub(super) fn of(data: &DataDir, id: &MachineId) -> Result<Self, SysError> {
        let machine = Self::all(data)?.child(&id.to_string());
        Ok(Self {
            outer: machine.child("outer"),
            inner: machine.child("inner"),
            machine,
        })
    }

    /// Creates the machine's group, with its limits and without children.
    pub(super) fn create(&self, limits: &Limits) -> Result<(), SysError> {
        self.machine.create()?;
        self.machine.limit(&plan(
            limits,
            limits.memory + ROOM_MEMORY,
            limits.pids + ROOM_PIDS,
        ))?;
        self.machine.limit(&[Limit::Devices(devices())])
    }

    /// Makes the children and moves the keeper into `outer`, which frees the machine's group to
    /// have controllers below it.
    pub(super) fn divide(&self, keeper: i32, base: u32, limits: &Limits) -> Result<(), SysError> {
        self.outer.create()?;
        self.outer.add(keeper)?;
        self.machine.enable_controllers()?;
        self.inner.create()?;
        self.inner
            .limit(&[Limit::Memory(limits.memory), Limit::Pids(limits.pids)])?;
        self.inner.delegate(base, base)?;
        self.machine.delegate_moves(base, base)
    }
}

fn plan(limits: &Limits, memory: u64, pids: u64) -> Vec<Limit> {
    const PERIOD: u64 = 100_000;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a few processors, in microseconds"
    )]
    let quota = (limits.cpu.max(0.01) * PERIOD as f64) as u64;
    vec![
        Limit::Memory(memory),
        Limit::Pids(pids),
        Limit::Cpu {
            quota,
            period: PERIOD,
        },
    ]
}

/// The devices that every container may use, and making (not opening) any node: whiteouts.
fn devices() -> Vec<DeviceRule> {
    let rules = [
        "c *:* m",
        "b *:* m",
        "c 1:3 rwm",
        "c 1:5 rwm",
        "c 1:7 rwm",
        "c 1:8 rwm",
        "c 1:9 rwm",
        "c 5:0 rwm",
        "c 5:2 rwm",
        "c 136:* rwm",
    ];
    rules.into_iter().map(|r| DeviceRule(r.into())).collect()
}
