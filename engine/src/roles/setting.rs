//! The limits of a container's group, set before anybody is in it.

use kernel::cgroup::{Cgroup, Limit};
use kernel::error::SysError;
use kernel::namespace;

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

/// On version 2 only root of the initial user namespace may load a list of devices, and on version 1 an ordinary user
/// has no group to write one to. Neither can make a device, which serves as well.
fn one(group: &Cgroup, limit: &Limit) -> Result<(), SysError> {
    match group.limit(std::slice::from_ref(limit)) {
        Err(e)
            if matches!(limit, Limit::Devices(_))
                && matches!(
                    e.source.kind(),
                    std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::Unsupported
                )
                && !namespace::is_initial_user()? =>
        {
            Ok(())
        }
        done => done,
    }
}
