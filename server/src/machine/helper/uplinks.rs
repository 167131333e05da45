//! The open machines of a data folder: their links, and the host's rules about them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::AsFd;

use kernel::error::SysError;
use kernel::namespace;
use kernel::netlink::link::{self, Peer};
use kernel::netlink::{address, nftables};

use super::nameservers;
use super::policy::{self, Door};
use super::ranges;
use crate::machine::data::DataDir;
use crate::machine::identity::MachineId;
use crate::machine::uplink::{self, INSIDE, LENGTH, Uplink};

/// The machines that may leave the host.
pub(super) struct Uplinks {
    table: String,
    doors: BTreeMap<MachineId, Door>,
}

/// Why a machine could not be given a way out, or not lose it.
#[derive(Debug, thiserror::Error)]
pub(super) enum UplinkError {
    #[error("the machine's link to the host cannot be made")]
    Link(#[source] SysError),
    #[error("the machine's link to the host cannot be removed")]
    Unlink(#[source] SysError),
    #[error("the host's packet rules about machines cannot be changed; they need nf_tables")]
    Rules(#[source] SysError),
    #[error("cannot set {name}")]
    Parameter { name: String, source: io::Error },
}

impl Uplinks {
    /// None yet, whatever rules are in place.
    pub(super) fn new(data: &DataDir) -> Self {
        Self {
            table: data.group().replace('-', "_"),
            doors: BTreeMap::new(),
        }
    }

    /// Remembers a machine that is open already.
    pub(super) fn adopt(&mut self, id: &MachineId, base: u32) {
        self.doors.insert(id.clone(), door(base));
    }

    /// Puts in place the rules of exactly the machines known here.
    pub(super) fn enforce(&self) -> Result<(), UplinkError> {
        let done = if self.doors.is_empty() {
            nftables::delete(&self.table)
        } else {
            nftables::replace(&policy::plan(&self.table, self.doors.values()))
        };
        done.map_err(UplinkError::Rules)
    }

    /// Rules first, so that a machine's first packet meets them; forwarding is left on afterwards,
    /// since others may have come to need it.
    pub(super) fn open(&mut self, id: &MachineId, base: u32) -> Result<(), UplinkError> {
        self.adopt(id, base);
        self.enforce()?;
        set("net/ipv4/ip_forward", "1")
    }

    /// Ends a machine's way out; does nothing for a closed one.
    pub(super) fn close(&mut self, id: &MachineId) -> Result<(), UplinkError> {
        let Some(door) = self.doors.remove(id) else {
            return Ok(());
        };
        // It goes with the machine's namespace, but a moment later.
        unlink(&door.interface)?;
        self.enforce()
    }
}

/// Makes the pair of a machine: its end is born in the keeper's network, for the keeper to move on.
pub(super) fn connect(keeper: i32, base: u32) -> Result<Uplink, UplinkError> {
    let number = ranges::number(base);
    let uplink = Uplink::of_range(number, nameservers::find());
    let name = uplink::host_end(number);
    unlink(&name)?;
    let namespace = namespace::open(keeper, "net").map_err(UplinkError::Link)?;
    let peer = Peer {
        name: INSIDE,
        mac: uplink.mac(),
        namespace: namespace.as_fd(),
    };
    link::add_veth(&name, &peer).map_err(UplinkError::Link)?;
    let disabled = format!("net/ipv6/conf/{name}/disable_ipv6");
    match set(&disabled, "1") {
        // A host without IPv6 has none to turn off.
        Err(UplinkError::Parameter { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
        other => other?,
    }
    set(&format!("net/ipv4/conf/{name}/rp_filter"), "1")?;
    // Who asks the link for another address of this host's learns nothing.
    set(&format!("net/ipv4/conf/{name}/arp_ignore"), "1")?;
    address::add(&name, uplink.gateway, LENGTH)
        .and_then(|()| link::set_up(&name))
        .map_err(UplinkError::Link)?;
    Ok(uplink)
}

fn door(base: u32) -> Door {
    let number = ranges::number(base);
    Door {
        interface: uplink::host_end(number),
        address: Uplink::of_range(number, Vec::new()).address,
    }
}

fn unlink(name: &str) -> Result<(), UplinkError> {
    match link::index(name) {
        None => Ok(()),
        // It may go at this very moment, with its machine.
        Some(_) => link::delete(name).or_else(|error| match link::index(name) {
            None => Ok(()),
            Some(_) => Err(UplinkError::Unlink(error)),
        }),
    }
}

fn set(name: &str, value: &str) -> Result<(), UplinkError> {
    fs::write(format!("/proc/sys/{name}"), value).map_err(|source| UplinkError::Parameter {
        name: name.to_owned(),
        source,
    })
}
