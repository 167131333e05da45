//! Packet rules, put in place in one atomic batch; see nft(8) for what the words mean.
//!
//! Only what engine and machines use: address translation, masquerading and dropping.

use std::net::Ipv4Addr;

use netlink_sys::protocols::NETLINK_NETFILTER;

use super::{acknowledged, open, send};
use crate::error::SysError;

/// A table of the `ip` family with everything in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its chains.
    pub chains: Vec<Chain>,
}

/// A base chain.
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
    /// As they come in, before anything is decided about them.
    Arrival,
    /// As they come in, to translate their destination.
    Prerouting,
    /// As they reach this host itself.
    Input,
    /// As they leave a process of this host, to translate their destination.
    Output,
    /// As they go out, to translate their source.
    Postrouting,
    /// As they pass through.
    Forward,
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
    Source(Ipv4Addr, u8),
    /// Its source is another address than this.
    NotSource(Ipv4Addr),
    /// Its destination is this address.
    Destination(Ipv4Addr),
    /// Its destination is in this network.
    DestinationIn(Ipv4Addr, u8),
    /// Its destination is an address of this host.
    DestinationLocal,
    /// It came in here.
    Input(String),
    /// It goes out here.
    Output(String),
    /// It goes out by an interface whose name begins so.
    OutputPrefix(&'static str),
    /// It belongs to no connection that was seen in both directions, and answers none.
    Unasked,
    /// It goes out elsewhere.
    NotOutput(String),
    /// It is of this transport protocol (6 TCP, 17 UDP).
    Protocol(u8),
    /// Its destination port.
    Port(u16),
}

/// What is done with a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It goes to this address and port instead.
    Translate(Ipv4Addr, u16),
    /// Its source becomes the address of the interface it leaves by.
    Masquerade,
    /// It is lost.
    Drop,
}

/// Puts the table in place of whatever had its name, in one step: no packet sees half of it.
pub fn replace(table: &Table) -> Result<(), SysError> {
    let mut batch = Batch::default();
    // Made if missing, so that removing it cannot fail.
    batch.table(NEW_TABLE, &table.name);
    batch.table(DELETE_TABLE, &table.name);
    batch.table(NEW_TABLE, &table.name);
    for chain in &table.chains {
        batch.chain(&table.name, chain);
        for rule in &chain.rules {
            batch.rule(&table.name, chain.name, rule);
        }
    }
    batch.commit("nftables replace", &table.name)
}

/// Removes a table and everything in it; does nothing if there is none.
pub fn delete(name: &str) -> Result<(), SysError> {
    let mut batch = Batch::default();
    batch.table(NEW_TABLE, name);
    batch.table(DELETE_TABLE, name);
    batch.commit("nftables delete", name)
}

const SUBSYSTEM: u16 = 10;
const NEW_TABLE: u16 = 0;
const DELETE_TABLE: u16 = 2;
const NEW_CHAIN: u16 = 3;
const NEW_RULE: u16 = 6;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;

const REQUEST: u16 = 0x1;
const ACK: u16 = 0x4;
const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;

const IPV4: u8 = 2;
const NESTED: u16 = 0x8000;

/// Messages in the order of their effect.
#[derive(Default)]
struct Batch {
    messages: Vec<(u16, u16, Vec<u8>)>,
}

impl Batch {
    fn table(&mut self, kind: u16, name: &str) {
        let flags = if kind == NEW_TABLE { CREATE } else { 0 };
        self.messages.push((kind, flags, text(1, name)));
    }

    fn chain(&mut self, table: &str, chain: &Chain) {
        let (number, priority, kind) = match chain.hook {
            Hook::Arrival => (0, -300, "filter"),
            Hook::Prerouting => (0, -100, "nat"),
            Hook::Input => (1, 0, "filter"),
            Hook::Forward => (2, 0, "filter"),
            Hook::Output => (3, -100, "nat"),
            Hook::Postrouting => (4, 100, "nat"),
        };
        let hook = [word(1, number), word(2, i32::cast_unsigned(priority))].concat();
        let body = [
            text(1, table),
            text(3, chain.name),
            nest(4, &hook),
            text(7, kind),
        ];
        self.messages.push((NEW_CHAIN, CREATE, body.concat()));
    }

    fn rule(&mut self, table: &str, chain: &str, rule: &Rule) {
        let mut expressions: Vec<u8> = rule.matches.iter().flat_map(Match::expressions).collect();
        expressions.extend(rule.action.expressions());
        let body = [text(1, table), text(2, chain), nest(4, &expressions)];
        self.messages
            .push((NEW_RULE, CREATE | APPEND, body.concat()));
    }

    fn commit(self, call: &'static str, table: &str) -> Result<(), SysError> {
        let last = u32::try_from(self.messages.len()).expect("a batch is small");
        let mut bytes = message(BATCH_BEGIN, 0, 0, 0, SUBSYSTEM, &[]);
        for (sequence, (kind, flags, body)) in (1..).zip(self.messages) {
            let kind = SUBSYSTEM << 8 | kind;
            bytes.extend(message(kind, flags | ACK, sequence, IPV4, 0, &body));
        }
        bytes.extend(message(BATCH_END, 0, last + 1, 0, SUBSYSTEM, &[]));
        let socket = open(call, NETLINK_NETFILTER).map_err(|e| e.on(table))?;
        send(call, &socket, &bytes).map_err(|e| e.on(table))?;
        acknowledged(call, &socket, last).map_err(|e| e.on(table))
    }
}

fn message(
    kind: u16,
    flags: u16,
    sequence: u32,
    family: u8,
    resource: u16,
    body: &[u8],
) -> Vec<u8> {
    let length = u32::try_from(20 + body.len()).expect("a message is small");
    let mut bytes = Vec::with_capacity(20 + body.len());
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend((flags | REQUEST).to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend([family, 0]);
    bytes.extend(resource.to_be_bytes());
    bytes.extend(body);
    bytes
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).expect("an attribute is small");
    let mut bytes = Vec::with_capacity(value.len() + 8);
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn nest(kind: u16, value: &[u8]) -> Vec<u8> {
    attribute(kind | NESTED, value)
}

fn text(kind: u16, value: &str) -> Vec<u8> {
    attribute(kind, &[value.as_bytes(), &[0]].concat())
}

fn word(kind: u16, value: u32) -> Vec<u8> {
    attribute(kind, &value.to_be_bytes())
}

/// Bytes that an expression compares with or loads.
fn data(kind: u16, value: &[u8]) -> Vec<u8> {
    nest(kind, &attribute(1, value))
}

fn expression(name: &str, body: &[u8]) -> Vec<u8> {
    nest(1, &[text(1, name), nest(2, body)].concat())
}

const REGISTER: u32 = 1;
const REGISTER_2: u32 = 2;

fn load_network(offset: u32, length: u32) -> Vec<u8> {
    load_payload(1, offset, length)
}

fn load_payload(base: u32, offset: u32, length: u32) -> Vec<u8> {
    let body = [
        word(1, REGISTER),
        word(2, base),
        word(3, offset),
        word(4, length),
    ];
    expression("payload", &body.concat())
}

fn load_meta(key: u32) -> Vec<u8> {
    expression("meta", &[word(1, REGISTER), word(2, key)].concat())
}

const EQUAL: u32 = 0;
const UNEQUAL: u32 = 1;

fn compare(operator: u32, value: &[u8]) -> Vec<u8> {
    let body = [word(1, REGISTER), word(2, operator), data(3, value)];
    expression("cmp", &body.concat())
}

/// Names are compared with their padding, as the kernel stores them.
fn interface(key: u32, operator: u32, name: &str) -> Vec<u8> {
    let mut padded = name.as_bytes().to_vec();
    padded.resize(16, 0);
    [load_meta(key), compare(operator, &padded)].concat()
}

/// Keeps these bits of the register.
fn mask(bits: &[u8; 4]) -> Vec<u8> {
    let body = [
        word(1, REGISTER),
        word(2, REGISTER),
        word(3, 4),
        data(4, bits),
        data(5, &[0; 4]),
    ];
    expression("bitwise", &body.concat())
}

/// Whether the address at this place of the header is in a network.
fn in_network(offset: u32, address: Ipv4Addr, prefix: u8) -> Vec<u8> {
    let bits = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
    let network = u32::from(address) & bits;
    [
        load_network(offset, 4),
        mask(&bits.to_be_bytes()),
        compare(EQUAL, &network.to_be_bytes()),
    ]
    .concat()
}

impl Match {
    fn expressions(&self) -> Vec<u8> {
        const INPUT_NAME: u32 = 6;
        const OUTPUT_NAME: u32 = 7;
        const TRANSPORT: u32 = 16;
        match self {
            Self::Source(address, prefix) => in_network(12, *address, *prefix),
            Self::NotSource(address) => {
                [load_network(12, 4), compare(UNEQUAL, &address.octets())].concat()
            }
            Self::DestinationIn(address, prefix) => in_network(16, *address, *prefix),
            Self::OutputPrefix(prefix) => {
                [load_meta(OUTPUT_NAME), compare(EQUAL, prefix.as_bytes())].concat()
            }
            Self::Unasked => {
                const STATE: u32 = 0;
                const ESTABLISHED_OR_RELATED: u32 = 2 | 4;
                [
                    expression("ct", &[word(1, REGISTER), word(2, STATE)].concat()),
                    mask(&ESTABLISHED_OR_RELATED.to_ne_bytes()),
                    compare(EQUAL, &[0; 4]),
                ]
                .concat()
            }
            Self::Destination(address) => {
                [load_network(16, 4), compare(EQUAL, &address.octets())].concat()
            }
            Self::DestinationLocal => {
                const ADDRESS_TYPE: u32 = 3;
                const BY_DESTINATION: u32 = 2;
                const LOCAL: u32 = 2;
                let body = [
                    word(1, REGISTER),
                    word(2, ADDRESS_TYPE),
                    word(3, BY_DESTINATION),
                ];
                [
                    expression("fib", &body.concat()),
                    compare(EQUAL, &LOCAL.to_ne_bytes()),
                ]
                .concat()
            }
            Self::Input(name) => interface(INPUT_NAME, EQUAL, name),
            Self::Output(name) => interface(OUTPUT_NAME, EQUAL, name),
            Self::NotOutput(name) => interface(OUTPUT_NAME, UNEQUAL, name),
            Self::Protocol(number) => [load_meta(TRANSPORT), compare(EQUAL, &[*number])].concat(),
            Self::Port(port) => {
                [load_payload(2, 2, 2), compare(EQUAL, &port.to_be_bytes())].concat()
            }
        }
    }
}

impl Action {
    fn expressions(&self) -> Vec<u8> {
        let immediate = |register: u32, value: &[u8]| {
            let body = [word(1, register), data(2, value)];
            expression("immediate", &body.concat())
        };
        match self {
            Self::Translate(address, port) => {
                const DESTINATION: u32 = 1;
                let body = [
                    word(1, DESTINATION),
                    word(2, IPV4.into()),
                    word(3, REGISTER),
                    word(5, REGISTER_2),
                ];
                [
                    immediate(REGISTER, &address.octets()),
                    immediate(REGISTER_2, &port.to_be_bytes()),
                    expression("nat", &body.concat()),
                ]
                .concat()
            }
            Self::Masquerade => expression("masq", &[]),
            Self::Drop => {
                const VERDICT: u32 = 0;
                let verdict = nest(2, &nest(2, &word(1, 0)));
                expression("immediate", &[word(1, VERDICT), verdict].concat())
            }
        }
    }
}
