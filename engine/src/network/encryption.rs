//! Encryption between the hosts of an overlay network: IPsec of the kernel (ESP in transport mode) on one UDP port.
//!
//! The policies come first: without a security association nothing leaves for that port, and what arrives there in the
//! clear is dropped. Keys are the daemon's to agree on.

use std::io::ErrorKind;
use std::net::IpAddr;

use kernel::netlink::xfrm::{self, Direction};
pub use kernel::netlink::xfrm::{Association, KEY};

use super::inside::{Namespace, inside};
use super::parent::lacking;
use super::{NetworkError, step};
use crate::stage::Stage;

/// The UDP port of encrypted VXLAN: another one than RFC 7348's, so that policies can tell both apart.
pub const PORT: u16 = 14789;

/// What a packet grows by, bytes: head and initial vector of ESP, the most padding, and the check value.
pub const GROWTH: u32 = 8 + 8 + 5 + 16;

/// What a kernel lacks that knows no association.
const ESP: &str = "IPsec ESP with AES-GCM (CONFIG_INET_ESP, CONFIG_CRYPTO_GCM)";

/// Makes sure that nothing goes between this address and others in the clear; tells what the kernel lacks for it.
pub fn require(stage: &Stage, own: IpAddr) -> Result<(), NetworkError> {
    inside(&Namespace::of_stage(stage)?, || {
        // One that nobody uses, to know whether the kernel can make any.
        let probe = Association {
            from: own,
            to: own,
            spi: 256,
        };
        match xfrm::add_association(probe, &[0; KEY]) {
            Err(error) if error.source.kind() == ErrorKind::AlreadyExists => {}
            other => other.map_err(absent)?,
        }
        xfrm::remove_association(probe).map_err(step("remove a security association"))?;
        for direction in [Direction::In, Direction::Out] {
            xfrm::require(own, PORT, direction).map_err(step("demand encryption"))?;
        }
        Ok(())
    })
}

fn absent(error: kernel::error::SysError) -> NetworkError {
    /// `EPROTONOSUPPORT`, `ENOSYS`
    const UNKNOWN: [i32; 2] = [93, 38];
    match error.source.raw_os_error() {
        Some(code) if UNKNOWN.contains(&code) => NetworkError::Lacking { feature: ESP },
        _ => lacking(ESP, "a security association")(error),
    }
}

/// Ends the demand.
pub fn release(stage: &Stage, own: IpAddr) -> Result<(), NetworkError> {
    inside(&Namespace::of_stage(stage)?, || {
        for direction in [Direction::In, Direction::Out] {
            xfrm::release(own, PORT, direction).map_err(step("demand no encryption"))?;
        }
        Ok(())
    })
}

/// The associations that engines made here.
pub fn associations(stage: &Stage) -> Result<Vec<Association>, NetworkError> {
    inside(&Namespace::of_stage(stage)?, || {
        xfrm::associations().map_err(step("read the security associations"))
    })
}

/// Gives the kernel a key; one that it has stays.
pub fn add(stage: &Stage, association: Association, key: &[u8; KEY]) -> Result<(), NetworkError> {
    inside(
        &Namespace::of_stage(stage)?,
        || match xfrm::add_association(association, key) {
            Err(error) if error.source.kind() == ErrorKind::AlreadyExists => Ok(()),
            other => other.map_err(absent),
        },
    )
}

/// Takes a key away.
pub fn remove(stage: &Stage, association: Association) -> Result<(), NetworkError> {
    inside(&Namespace::of_stage(stage)?, || {
        xfrm::remove_association(association).map_err(step("remove a security association"))
    })
}
