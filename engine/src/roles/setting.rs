//! The limits of a container's group, set before anybody is in it.

use kernel::cgroup::{Cgroup, Limit};
use kernel::error::SysError;

use crate::runtime::handshake::Refusal;
use crate::runtime::limits;
use crate::runtime::plan::Plan;

/// Sets every limit of a plan.
pub(super) fn limit(plan: &Plan, group: &Cgroup) -> Result<(), Refusal> {
    for limit in limits::limits(&plan.resources, plan.devices.as_deref()) {
        one(group, &limit).map_err(|e| Refusal::failed("cannot limit the container", &e))?;
    }
    Ok(())
}

/// Device rules hold on version 1; version 2 has none in files, and a stage is nodev anyway.
fn one(group: &Cgroup, limit: &Limit) -> Result<(), SysError> {
    if matches!(limit, Limit::Devices(_)) && group.version("devices").is_none() {
        return Ok(());
    }
    group.limit(std::slice::from_ref(limit))
}
