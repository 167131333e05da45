//! The link to the exercise's other machine: moving this end in, and giving it its address.

use std::os::fd::BorrowedFd;

use kernel::error::SysError;
use kernel::netlink::{address, link};

use super::uplink::within;
use crate::machine::cable::{Cable, INSIDE, LENGTH};

/// Moves the end that waits in this network to `to`.
pub(super) fn settle(cable: &Cable, to: BorrowedFd<'_>) -> Result<(), SysError> {
    // A former end, whose other side is gone, may be there for a moment still.
    within(to, forget)?;
    link::move_to(INSIDE, to)?;
    within(to, || arrange(cable))
}

/// Moves the end from a former inner stage's network, if it is there.
pub(super) fn follow(
    cable: &Cable,
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
) -> Result<(), SysError> {
    let moved = within(from, || match link::index(INSIDE) {
        Some(_) => link::move_to(INSIDE, to).map(|()| true),
        None => Ok(false),
    })?;
    if moved {
        within(to, || arrange(cable))?;
    }
    Ok(())
}

fn forget() -> Result<(), SysError> {
    match link::index(INSIDE) {
        None => Ok(()),
        Some(_) => link::delete(INSIDE).or_else(|error| match link::index(INSIDE) {
            None => Ok(()),
            Some(_) => Err(error),
        }),
    }
}

fn arrange(cable: &Cable) -> Result<(), SysError> {
    address::add(INSIDE, cable.place.address(), LENGTH)?;
    link::set_up(INSIDE)
}
