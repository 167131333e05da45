//! What the kernel has now: rules of a table with what they counted.

use netlink_sys::protocols::NETLINK_NETFILTER;

use super::Family;
use super::batch::{SUBSYSTEM, message, text};
use crate::error::SysError;
use crate::netlink::{open, send};

const GET_RULE: u16 = 7;
const DUMP: u16 = 0x300;

/// A rule as the kernel has it: where it is, in what order, and what it counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// Its chain.
    pub chain: String,
    /// The kernel's number of it, as `nft --handle` shows it.
    pub handle: u64,
    /// Packets that met all its conditions, if it counts.
    pub packets: Option<u64>,
    /// Their bytes.
    pub bytes: Option<u64>,
}

/// The rules of a table in order, chain by chain; none if there is no such table.
pub fn list(family: Family, table: &str) -> Result<Vec<Live>, SysError> {
    const CALL: &str = "nftables list";
    let body = text(1, table);
    let kind = SUBSYSTEM << 8 | GET_RULE;
    let bytes = message(kind, DUMP, 1, family.number(), 0, &body);
    let socket = open(CALL, NETLINK_NETFILTER)?;
    send(CALL, &socket, &bytes)?;
    let mut rules = Vec::new();
    loop {
        let (bytes, _) = socket.recv_from_full().map_err(|e| SysError::io(CALL, e))?;
        let mut rest = bytes.as_slice();
        while let Some(head) = rest.first_chunk::<16>() {
            let length = u32::from_ne_bytes([head[0], head[1], head[2], head[3]]) as usize;
            let kind = u16::from_ne_bytes([head[4], head[5]]);
            let Some(body) = rest.get(16..length) else {
                return Ok(rules);
            };
            match kind {
                // NLMSG_DONE
                3 => return Ok(rules),
                // NLMSG_ERROR
                2 => {
                    let code = body.first_chunk().map_or(0, |c| i32::from_ne_bytes(*c));
                    let error = std::io::Error::from_raw_os_error(-code);
                    return match error.kind() {
                        std::io::ErrorKind::NotFound => Ok(rules),
                        _ => Err(SysError::io(CALL, error).on(table)),
                    };
                }
                _ => rules.extend(read(body.get(4..).unwrap_or_default(), table)),
            }
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
    }
}

/// The attributes in these bytes, nested ones as bytes.
pub(super) fn attributes(mut bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut all = Vec::new();
    while let Some(head) = bytes.first_chunk::<4>() {
        let length = usize::from(u16::from_ne_bytes([head[0], head[1]]));
        let kind = u16::from_ne_bytes([head[2], head[3]]) & 0x3fff;
        let Some(value) = bytes.get(4..length) else {
            break;
        };
        all.push((kind, value));
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    all
}

fn read(body: &[u8], table: &str) -> Option<Live> {
    let mut live = Live {
        chain: String::new(),
        handle: 0,
        packets: None,
        bytes: None,
    };
    for (kind, value) in attributes(body) {
        match kind {
            1 if word(value) != table => return None,
            2 => live.chain = word(value),
            3 => live.handle = number(value)?,
            4 => {
                for (_, expression) in attributes(value) {
                    count(&mut live, expression);
                }
            }
            _ => {}
        }
    }
    Some(live)
}

fn count(live: &mut Live, expression: &[u8]) {
    let parts = attributes(expression);
    let is_counter = parts
        .iter()
        .any(|(kind, value)| *kind == 1 && word(value) == "counter");
    let Some((_, data)) = parts.iter().find(|(kind, _)| *kind == 2) else {
        return;
    };
    if is_counter {
        for (kind, value) in attributes(data) {
            match kind {
                1 => live.bytes = number(value),
                2 => live.packets = number(value),
                _ => {}
            }
        }
    }
}

pub(super) fn word(value: &[u8]) -> String {
    let text = value.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

fn number(value: &[u8]) -> Option<u64> {
    value.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}
