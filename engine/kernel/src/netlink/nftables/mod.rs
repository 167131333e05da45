//! Packet rules, put in place in one atomic batch; see nft(8) for what the words mean.
//!
//! Only what engine and machines use: address translation, masquerading, accepting and dropping. A [`Table`] is plain
//! data, decided elsewhere; its [`Display`](std::fmt::Display) is what `nft list table` would show.

mod batch;
mod dump;
mod expression;
mod text;
mod watch;

pub use dump::{Live, list};
pub use watch::Watch;

use std::net::IpAddr;

use crate::error::SysError;
use batch::Batch;

/// A table with everything in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Which packets come through it.
    pub family: Family,
    /// Its name.
    pub name: String,
    /// Its chains; one that others jump to comes before them.
    pub chains: Vec<Chain>,
}

/// Which packets a table sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    Ip,
    /// IPv4 and IPv6.
    Inet,
}

/// A chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Its name.
    pub name: &'static str,
    /// Where packets come through it.
    pub hook: Hook,
    /// Its rules, in order.
    pub rules: Vec<Rule>,
}

/// Where and when packets come through a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Nowhere: only those that another chain sends.
    Called,
    /// As they come in, before anything is decided about them.
    Arrival,
    /// As they come in, to translate their destination.
    Prerouting,
    /// As they reach this host itself.
    Input,
    /// As they leave a process of this host, to translate their destination.
    Output,
    /// As they leave a process of this host, to let them pass or not.
    Sending,
    /// As they go out, to translate their source.
    Postrouting,
    /// As they pass through.
    Forward,
    /// As they leave a process of this host, before the kernel looks which connection they belong to.
    Leaving,
    /// As they leave a process of this host, after everything else has seen them there.
    Left,
}

/// What is looked for, and what is done then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// All of these must hold.
    pub matches: Vec<Match>,
    /// What is done.
    pub action: Action,
}

/// A condition on a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// Its source is in this network.
    Source(IpAddr, u8),
    /// Its source is another address than this.
    NotSource(IpAddr),
    /// Its destination is this address.
    Destination(IpAddr),
    /// Its destination is in this network.
    DestinationIn(IpAddr, u8),
    /// Its destination is an address of this host.
    DestinationLocal,
    /// It is of the same family as this address, whichever it is.
    SameFamily(IpAddr),
    /// It came in here.
    Input(String),
    /// It came in elsewhere.
    NotInput(String),
    /// It goes out here.
    Output(String),
    /// It goes out by an interface whose name begins so.
    OutputPrefix(&'static str),
    /// It belongs to no connection that was seen in both directions, and answers none.
    Unasked,
    /// It belongs to a connection that was seen in both directions, or answers one.
    Known,
    /// Its destination was translated.
    Translated,
    /// It goes out elsewhere.
    NotOutput(String),
    /// It is of this transport protocol (6 TCP, 17 UDP, 132 SCTP).
    Protocol(u8),
    /// Its destination port.
    Port(u16),
    /// Its source port.
    SourcePort(u16),
    /// It is ICMP's answer that nobody listens at this UDP port.
    Refused(u16),
    /// It carries this mark.
    Mark(u32),
}

/// What is done with a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It goes to this address and port instead.
    Translate(IpAddr, u16),
    /// It seems to come from this address.
    TranslateSource(IpAddr),
    /// Another port is written into it; nothing is remembered, so what answers it is left as it is.
    Write(Place, u16),
    /// Its source becomes the address of the interface it leaves by.
    Masquerade,
    /// It goes on; no later chain of this hook is spared.
    Accept,
    /// It is lost.
    Drop,
    /// The rules of another chain are asked.
    Jump(&'static str),
}

/// Where a port is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Destination port of this transport protocol (6 TCP, 17 UDP).
    Destination(u8),
    /// Source port of this transport protocol.
    Source(u8),
    /// The port that ICMP's answer is about.
    Refused,
}

/// Puts the table in place of whatever had its name, in one step: no packet sees half of it.
pub fn replace(table: &Table) -> Result<(), SysError> {
    let mut batch = Batch::new(table.family);
    // Made if missing, so that removing it cannot fail.
    batch.make_table(&table.name);
    batch.delete_table(&table.name);
    batch.fill(table);
    batch.commit("nftables replace", &table.name)
}

/// The same where there is most likely no table of that name: then nothing is deleted, and nothing [freed](Freeing).
pub fn create(table: &Table) -> Result<(), SysError> {
    let mut batch = Batch::new(table.family);
    batch.make_new_table(&table.name);
    batch.fill(table);
    match batch.commit("nftables create", &table.name) {
        Err(error) if error.source.kind() == std::io::ErrorKind::AlreadyExists => replace(table),
        made => made,
    }
}

/// What a transaction deleted, while the kernel frees it: to drop it takes that long.
///
/// It is freed after a grace period of RCU, 4 to 20 ms, and whoever closes a socket of this protocol waits for that
/// (`nft_rcv_nl_event` in the kernel's `nf_tables_api.c`), as does the next transaction. Who has something else to do
/// drops it on another thread.
#[derive(Debug)]
pub struct Freeing {
    _socket: netlink_sys::Socket,
}

/// Puts other rules in the chains of a table that [`replace`] made, in one step. Cheaper than replacing it, since the
/// hooks stay.
pub fn refill(table: &Table) -> Result<Freeing, SysError> {
    let mut batch = Batch::new(table.family);
    batch.make_table(&table.name);
    for chain in &table.chains {
        batch.chain(&table.name, chain);
        batch.flush(&table.name, chain.name);
    }
    batch.rules(table);
    let socket = batch.commit_open("nftables refill", &table.name)?;
    Ok(Freeing { _socket: socket })
}

/// Removes a table of the `ip` family and everything in it; does nothing if there is none.
pub fn delete(name: &str) -> Result<(), SysError> {
    delete_of(Family::Ip, name)
}

/// Removes a table and everything in it; does nothing if there is none.
pub fn delete_of(family: Family, name: &str) -> Result<(), SysError> {
    let mut batch = Batch::new(family);
    batch.make_table(name);
    batch.delete_table(name);
    batch.commit("nftables delete", name)
}
