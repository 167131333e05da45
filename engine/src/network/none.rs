//! `--network none`: a namespace with nothing but its loopback.

use kernel::netlink::link;

use super::inside::{Namespace, inside};
use super::{NetworkError, step};

/// Turns on the loopback of a container.
pub fn attach(engine_pid: u32) -> Result<(), NetworkError> {
    let container = Namespace::of_process(engine_pid)?;
    inside(&container, || {
        link::set_up("lo").map_err(step("turn on lo"))
    })
}
