//! A rule as the small program that the kernel runs on each packet.

use std::net::IpAddr;

use super::batch::{attribute, nest, text, word};
use super::{Action, Family, Match, Place, Rule};

const REGISTER: u32 = 1;
const REGISTER_2: u32 = 2;

const EQUAL: u32 = 0;
const UNEQUAL: u32 = 1;

/// Bits of a connection's state and status, as `ct` loads them.
pub(super) const ESTABLISHED_OR_RELATED: u32 = 2 | 4;
pub(super) const DESTINATION_TRANSLATED: u32 = 1 << 5;

impl Rule {
    pub(super) fn expressions(&self, family: Family) -> Vec<u8> {
        let mut bytes = Vec::new();
        for condition in &self.matches {
            if let (Family::Inet, Some(address)) = (family, condition.address()) {
                bytes.extend(same_family(address));
            }
            bytes.extend(condition.expressions());
        }
        if family == Family::Inet {
            bytes.extend(expression("counter", &[]));
        }
        bytes.extend(self.action.expressions(family));
        bytes
    }
}

/// Bytes that an expression compares with or loads.
fn data(kind: u16, value: &[u8]) -> Vec<u8> {
    nest(kind, &attribute(1, value))
}

fn expression(name: &str, body: &[u8]) -> Vec<u8> {
    nest(1, &[text(1, name), nest(2, body)].concat())
}

/// From the network header (`base` 1) or the transport header (2).
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

fn load_connection(key: u32) -> Vec<u8> {
    expression("ct", &[word(1, REGISTER), word(2, key)].concat())
}

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
fn mask(bits: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bits.len()).expect("a register is small");
    let body = [
        word(1, REGISTER),
        word(2, REGISTER),
        word(3, length),
        data(4, bits),
        data(5, &vec![0; bits.len()]),
    ];
    expression("bitwise", &body.concat())
}

pub(super) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// `NFPROTO_IPV4` and `NFPROTO_IPV6`.
fn protocol_family(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 2,
        IpAddr::V6(_) => 10,
    }
}

fn same_family(address: IpAddr) -> Vec<u8> {
    const PROTOCOL_FAMILY: u32 = 15;
    [
        load_meta(PROTOCOL_FAMILY),
        compare(EQUAL, &[protocol_family(address)]),
    ]
    .concat()
}

/// Where the addresses are in the network header.
#[derive(Clone, Copy)]
enum Side {
    Source,
    Destination,
}

fn load_address(side: Side, of: IpAddr) -> Vec<u8> {
    let (offset, length) = match (side, of) {
        (Side::Source, IpAddr::V4(_)) => (12, 4),
        (Side::Destination, IpAddr::V4(_)) => (16, 4),
        (Side::Source, IpAddr::V6(_)) => (8, 16),
        (Side::Destination, IpAddr::V6(_)) => (24, 16),
    };
    load_payload(1, offset, length)
}

/// Whether the address at this place of the header is in a network.
fn in_network(side: Side, address: IpAddr, prefix: u8) -> Vec<u8> {
    let octets = octets(address);
    let bits: Vec<u8> = (0..octets.len())
        .map(|index| {
            let left = usize::from(prefix).saturating_sub(index * 8).min(8);
            u8::try_from(0xff00_u32 >> left & 0xff).expect("it is masked")
        })
        .collect();
    let network: Vec<u8> = octets.iter().zip(&bits).map(|(a, b)| a & b).collect();
    [
        load_address(side, address),
        mask(&bits),
        compare(EQUAL, &network),
    ]
    .concat()
}

impl Match {
    /// The address it is about, which says of which family the packet must be.
    fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Source(address, _)
            | Self::NotSource(address)
            | Self::Destination(address)
            | Self::DestinationIn(address, _) => Some(*address),
            _ => None,
        }
    }

    fn expressions(&self) -> Vec<u8> {
        const MARK: u32 = 3;
        const INPUT_NAME: u32 = 6;
        const OUTPUT_NAME: u32 = 7;
        const TRANSPORT: u32 = 16;
        const STATE: u32 = 0;
        const STATUS: u32 = 2;
        let bits = |key, bits: u32, operator| {
            [
                load_connection(key),
                mask(&bits.to_ne_bytes()),
                compare(operator, &[0; 4]),
            ]
            .concat()
        };
        match self {
            Self::Source(address, prefix) => in_network(Side::Source, *address, *prefix),
            Self::NotSource(address) => [
                load_address(Side::Source, *address),
                compare(UNEQUAL, &octets(*address)),
            ]
            .concat(),
            Self::DestinationIn(address, prefix) => {
                in_network(Side::Destination, *address, *prefix)
            }
            Self::Destination(address) => [
                load_address(Side::Destination, *address),
                compare(EQUAL, &octets(*address)),
            ]
            .concat(),
            Self::SameFamily(address) => same_family(*address),
            Self::OutputPrefix(prefix) => {
                [load_meta(OUTPUT_NAME), compare(EQUAL, prefix.as_bytes())].concat()
            }
            Self::Unasked => bits(STATE, ESTABLISHED_OR_RELATED, EQUAL),
            Self::Known => bits(STATE, ESTABLISHED_OR_RELATED, UNEQUAL),
            Self::Translated => bits(STATUS, DESTINATION_TRANSLATED, UNEQUAL),
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
            Self::NotInput(name) => interface(INPUT_NAME, UNEQUAL, name),
            Self::Output(name) => interface(OUTPUT_NAME, EQUAL, name),
            Self::NotOutput(name) => interface(OUTPUT_NAME, UNEQUAL, name),
            Self::Protocol(number) => [load_meta(TRANSPORT), compare(EQUAL, &[*number])].concat(),
            Self::Port(port) => {
                [load_payload(2, 2, 2), compare(EQUAL, &port.to_be_bytes())].concat()
            }
            Self::SourcePort(port) => {
                [load_payload(2, 0, 2), compare(EQUAL, &port.to_be_bytes())].concat()
            }
            Self::Refused(port) => {
                const ICMP: u8 = 1;
                const UDP: u8 = 17;
                // Destination unreachable: its port; RFC 792.
                const PORT_UNREACHABLE: [u8; 2] = [3, 3];
                [
                    load_meta(TRANSPORT),
                    compare(EQUAL, &[ICMP]),
                    load_payload(2, 0, 2),
                    compare(EQUAL, &PORT_UNREACHABLE),
                    load_payload(2, ICMP_HEADER + 9, 1),
                    compare(EQUAL, &[UDP]),
                    load_payload(2, REFUSED_PORT, 2),
                    compare(EQUAL, &port.to_be_bytes()),
                ]
                .concat()
            }
            Self::Mark(mark) => [load_meta(MARK), compare(EQUAL, &mark.to_ne_bytes())].concat(),
        }
    }
}

impl Action {
    fn expressions(&self, family: Family) -> Vec<u8> {
        match self {
            Self::Translate(address, port) => {
                const DESTINATION: u32 = 1;
                let body = [
                    word(1, DESTINATION),
                    word(2, protocol_family(*address).into()),
                    word(3, REGISTER),
                    word(5, REGISTER_2),
                ];
                [
                    immediate(REGISTER, &octets(*address)),
                    immediate(REGISTER_2, &port.to_be_bytes()),
                    expression("nat", &body.concat()),
                ]
                .concat()
            }
            Self::TranslateSource(address) => {
                const SOURCE: u32 = 0;
                let body = [
                    word(1, SOURCE),
                    word(2, protocol_family(*address).into()),
                    word(3, REGISTER),
                ];
                let check = if family == Family::Inet {
                    same_family(*address)
                } else {
                    Vec::new()
                };
                [
                    check,
                    immediate(REGISTER, &octets(*address)),
                    expression("nat", &body.concat()),
                ]
                .concat()
            }
            Self::Write(place, port) => write_port(*place, *port),
            Self::Masquerade => expression("masq", &[]),
            Self::Accept => verdict(1, None),
            Self::Drop => verdict(0, None),
            Self::Jump(chain) => verdict(-3, Some(chain)),
        }
    }
}

/// Header of ICMP, bytes: the refused packet follows.
const ICMP_HEADER: u32 = 8;
/// Where the destination port of the refused packet is, whose network header has no options.
const REFUSED_PORT: u32 = ICMP_HEADER + 20 + 2;

/// Writes into the transport header; the kernel brings the checksum in line, where the packet has one already.
fn write_port(place: Place, port: u16) -> Vec<u8> {
    const TCP: u8 = 6;
    const INTERNET_CHECKSUM: u32 = 1;
    let checksum_of = |protocol| if protocol == TCP { 16 } else { 6 };
    let (offset, checksum) = match place {
        Place::Source(protocol) => (0, checksum_of(protocol)),
        Place::Destination(protocol) => (2, checksum_of(protocol)),
        Place::Refused => (REFUSED_PORT, 2),
    };
    let body = [
        word(5, REGISTER),
        word(2, 2),
        word(3, offset),
        word(4, 2),
        word(6, INTERNET_CHECKSUM),
        word(7, checksum),
    ];
    [
        immediate(REGISTER, &port.to_be_bytes()),
        expression("payload", &body.concat()),
    ]
    .concat()
}

fn immediate(register: u32, value: &[u8]) -> Vec<u8> {
    let body = [word(1, register), data(2, value)];
    expression("immediate", &body.concat())
}

/// What the verdict register is given: `NF_ACCEPT`, `NF_DROP` or `NFT_JUMP` with its chain.
fn verdict(code: i32, chain: Option<&str>) -> Vec<u8> {
    const VERDICT: u32 = 0;
    let mut body = word(1, code.cast_unsigned());
    body.extend(chain.map(|chain| text(2, chain)).unwrap_or_default());
    let verdict = nest(2, &nest(2, &body));
    expression("immediate", &[word(1, VERDICT), verdict].concat())
}
