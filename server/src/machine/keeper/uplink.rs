//! The inner stage's way out: moving the link in, and giving it its address and route.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use kernel::error::SysError;
use kernel::namespace::{self, Namespaces};
use kernel::netlink::{address, link, route};

use crate::machine::uplink::{INSIDE, LENGTH, Uplink};

/// Moves the machine's end from the network `from`, or this one, to `to` and makes it usable there.
pub(super) fn settle(
    uplink: &Uplink,
    from: Option<BorrowedFd<'_>>,
    to: BorrowedFd<'_>,
) -> Result<(), SysError> {
    match from {
        None => link::move_to(INSIDE, to)?,
        Some(from) => within(from, || link::move_to(INSIDE, to))?,
    }
    within(to, || {
        let path = format!("/proc/sys/net/ipv6/conf/{INSIDE}/disable_ipv6");
        match std::fs::write(&path, "1") {
            // A host without IPv6 has none to turn off.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            other => other.map_err(|e| SysError::io("write", e).on(path))?,
        }
        address::add(INSIDE, uplink.address, LENGTH)?;
        link::set_up(INSIDE)?;
        route::add_default(uplink.gateway)
    })
}

/// Does something in another network; the keeper has one thread only.
pub(super) fn within<T>(
    network: BorrowedFd<'_>,
    work: impl FnOnce() -> Result<T, SysError>,
) -> Result<T, SysError> {
    let own = namespace::open_own("net")?;
    namespace::setns(network, Namespaces::NETWORK)?;
    let done = work();
    namespace::setns(own.as_fd(), Namespaces::NETWORK)?;
    done
}
