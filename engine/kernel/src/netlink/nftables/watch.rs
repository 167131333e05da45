//! Hearing that a table is gone.

use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_NETFILTER;

use super::Family;
use super::batch::{DELETE_TABLE, SUBSYSTEM};
use super::dump::{attributes, word};
use crate::error::SysError;
use crate::netlink::open;

/// `NFNLGRP_NFTABLES`: every change of nf_tables in this namespace.
const CHANGES: u32 = 7;

/// Changes of nf_tables in the network namespace it was made in.
#[derive(Debug)]
pub struct Watch {
    socket: Socket,
}

impl Watch {
    /// Begins to listen.
    pub fn begin() -> Result<Self, SysError> {
        const CALL: &str = "nftables watch";
        let socket = open(CALL, NETLINK_NETFILTER)?;
        socket
            .add_membership(CHANGES)
            .map_err(|e| SysError::io(CALL, e))?;
        Ok(Self { socket })
    }

    /// Waits until a table of this name was removed, or may have been: when more happened than the socket holds.
    /// It may be there again.
    pub fn removed(&self, family: Family, table: &str) -> Result<(), SysError> {
        loop {
            let bytes = match self.socket.recv_from_full() {
                Ok((bytes, _)) => bytes,
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => return Ok(()),
                Err(error) => return Err(SysError::io("nftables watch", error)),
            };
            let mut rest = bytes.as_slice();
            while let Some(head) = rest.first_chunk::<20>() {
                let length = u32::from_ne_bytes([head[0], head[1], head[2], head[3]]) as usize;
                let kind = u16::from_ne_bytes([head[4], head[5]]);
                let body = rest.get(20..length).unwrap_or_default();
                let names = |(kind, value): &(u16, &[u8])| *kind == 1 && word(value) == table;
                if kind == SUBSYSTEM << 8 | DELETE_TABLE
                    && head[16] == family.number()
                    && attributes(body).iter().any(names)
                {
                    return Ok(());
                }
                rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
            }
        }
    }
}
