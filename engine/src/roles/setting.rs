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

/// On version 2 only root of the initial user namespace may load a list of devices. Others cannot make
/// a device either, which serves as well.
fn one(group: &Cgroup, limit: &Limit) -> Result<(), SysError> {
    match group.limit(std::slice::from_ref(limit)) {
        Err(e)
            if matches!(limit, Limit::Devices(_))
                && e.source.kind() == std::io::ErrorKind::PermissionDenied
                && !namespace::is_initial_user()? =>
        {
            Ok(())
        }
        done => done,
    }
}
