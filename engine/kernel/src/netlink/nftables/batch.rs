//! Messages of one transaction, in the order of their effect.

use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_NETFILTER;

use super::{Chain, Family, Hook, Rule, Table};
use crate::error::SysError;
use crate::netlink::{acknowledged, open, send};

pub(super) const SUBSYSTEM: u16 = 10;
const NEW_TABLE: u16 = 0;
pub(super) const DELETE_TABLE: u16 = 2;
const NEW_CHAIN: u16 = 3;
const NEW_RULE: u16 = 6;
const DELETE_RULE: u16 = 8;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;

pub(super) const REQUEST: u16 = 0x1;
const ACK: u16 = 0x4;
const EXCLUSIVE: u16 = 0x200;
const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;

pub(super) const NESTED: u16 = 0x8000;

impl Family {
    pub(super) fn number(self) -> u8 {
        match self {
            Self::Ip => 2,
            Self::Inet => 1,
        }
    }
}

/// A transaction.
pub(super) struct Batch {
    family: Family,
    messages: Vec<(u16, u16, Vec<u8>)>,
}

impl Batch {
    pub(super) fn new(family: Family) -> Self {
        Self {
            family,
            messages: Vec::new(),
        }
    }

    pub(super) fn make_table(&mut self, name: &str) {
        self.messages.push((NEW_TABLE, CREATE, text(1, name)));
    }

    /// The same, and the whole batch fails with `EEXIST` if there is one.
    pub(super) fn make_new_table(&mut self, name: &str) {
        let flags = CREATE | EXCLUSIVE;
        self.messages.push((NEW_TABLE, flags, text(1, name)));
    }

    pub(super) fn delete_table(&mut self, name: &str) {
        self.messages.push((DELETE_TABLE, 0, text(1, name)));
    }

    /// The table with its chains and rules.
    pub(super) fn fill(&mut self, table: &Table) {
        self.make_table(&table.name);
        for chain in &table.chains {
            self.chain(&table.name, chain);
        }
        self.rules(table);
    }

    pub(super) fn rules(&mut self, table: &Table) {
        for chain in &table.chains {
            for rule in &chain.rules {
                self.rule(&table.name, chain.name, rule);
            }
        }
    }

    pub(super) fn chain(&mut self, table: &str, chain: &Chain) {
        let mut body = [text(1, table), text(3, chain.name)].concat();
        let place = match chain.hook {
            Hook::Called => None,
            Hook::Arrival => Some((0, -300, "filter")),
            Hook::Prerouting => Some((0, -100, "nat")),
            Hook::Input => Some((1, 0, "filter")),
            Hook::Forward => Some((2, 0, "filter")),
            Hook::Output => Some((3, -100, "nat")),
            Hook::Sending => Some((3, 0, "filter")),
            Hook::Leaving => Some((3, -300, "filter")),
            Hook::Left => Some((3, 300, "filter")),
            Hook::Postrouting => Some((4, 100, "nat")),
        };
        if let Some((number, priority, kind)) = place {
            let hook = [word(1, number), word(2, i32::cast_unsigned(priority))].concat();
            body.extend(nest(4, &hook));
            body.extend(text(7, kind));
        }
        self.messages.push((NEW_CHAIN, CREATE, body));
    }

    /// Empties a chain.
    pub(super) fn flush(&mut self, table: &str, chain: &str) {
        let body = [text(1, table), text(2, chain)].concat();
        self.messages.push((DELETE_RULE, 0, body));
    }

    fn rule(&mut self, table: &str, chain: &str, rule: &Rule) {
        let expressions = rule.expressions(self.family);
        let body = [text(1, table), text(2, chain), nest(4, &expressions)];
        self.messages
            .push((NEW_RULE, CREATE | APPEND, body.concat()));
    }

    pub(super) fn commit(self, call: &'static str, table: &str) -> Result<(), SysError> {
        self.commit_open(call, table).map(drop)
    }

    /// The same, and gives the socket, which takes its time to close if something was deleted.
    pub(super) fn commit_open(self, call: &'static str, table: &str) -> Result<Socket, SysError> {
        let last = u32::try_from(self.messages.len()).expect("a batch is small");
        let mut bytes = message(BATCH_BEGIN, 0, 0, 0, SUBSYSTEM, &[]);
        for (sequence, (kind, flags, body)) in (1..).zip(self.messages) {
            let kind = SUBSYSTEM << 8 | kind;
            // What fails is told anyway; a thousand acknowledgements would not fit in the socket.
            let flags = if sequence == last { flags | ACK } else { flags };
            bytes.extend(message(
                kind,
                flags,
                sequence,
                self.family.number(),
                0,
                &body,
            ));
        }
        bytes.extend(message(BATCH_END, 0, last + 1, 0, SUBSYSTEM, &[]));
        let socket = open(call, NETLINK_NETFILTER).map_err(|e| e.on(table))?;
        super::super::make_room(&socket, bytes.len());
        send(call, &socket, &bytes).map_err(|e| e.on(table))?;
        acknowledged(call, &socket, last).map_err(|e| e.on(table))?;
        Ok(socket)
    }
}

pub(super) fn message(
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

pub(super) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).expect("an attribute is small");
    let mut bytes = Vec::with_capacity(value.len() + 8);
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

pub(super) fn nest(kind: u16, value: &[u8]) -> Vec<u8> {
    attribute(kind | NESTED, value)
}

pub(super) fn text(kind: u16, value: &str) -> Vec<u8> {
    attribute(kind, &[value.as_bytes(), &[0]].concat())
}

pub(super) fn word(kind: u16, value: u32) -> Vec<u8> {
    attribute(kind, &value.to_be_bytes())
}
