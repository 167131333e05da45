//! IPsec as the kernel does it: security associations (keys) and policies (which packets need them); linux/xfrm.h.
//!
//! Only what hosts need that encrypt one UDP port between them: ESP (RFC 4303) in transport mode with AES-GCM (RFC
//! 4106) and 64-bit sequence numbers.

use std::net::IpAddr;

use netlink_sys::protocols::NETLINK_XFRM;

use super::{acknowledged, open, send};
use crate::error::SysError;

const NEW_ASSOCIATION: u16 = 0x10;
const DELETE_ASSOCIATION: u16 = 0x11;
const GET_ASSOCIATION: u16 = 0x12;
const DELETE_POLICY: u16 = 0x14;
/// Makes a policy, or replaces one.
const UPDATE_POLICY: u16 = 0x19;

const TEMPLATE: u16 = 5;
const ALGORITHM: u16 = 18;
const REPLAY: u16 = 23;

const REQUEST: u16 = 0x1;
const ACK: u16 = 0x4;

const UDP: u8 = 17;
const ESP: u8 = 50;
/// `XFRM_STATE_ESN`
const LONG_SEQUENCE: u8 = 128;
/// How far packets may overtake each other, in words of 32 bits.
const WINDOW: u32 = 4;

/// Marks what is made here, among what other programs made (`reqid`).
const MARK: u32 = 0x7175_6169;

/// AES-128 and the salt of RFC 4106, bytes.
pub const KEY: usize = 20;

/// What one host's packets to another are encrypted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Association {
    /// Who sends.
    pub from: IpAddr,
    /// Who receives; of the same family.
    pub to: IpAddr,
    /// Its number in each packet, from 256 on.
    pub spi: u32,
}

/// Which way packets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// They come to this host.
    In,
    /// They leave it.
    Out,
}

/// Makes a security association; one of its number that is there already is an error (`AlreadyExists`).
pub fn add_association(association: Association, key: &[u8; KEY]) -> Result<(), SysError> {
    let mut body = Body::default();
    body.selector(None, None, 0, 0);
    body.identity(Some(association.to), association.spi);
    body.address(Some(association.from));
    body.lifetime();
    body.zeros(12 + 4);
    body.bytes(&MARK.to_ne_bytes());
    body.bytes(&family(association.to).to_ne_bytes());
    // Transport mode, and the window that counts is that of the attribute.
    body.bytes(&[0, 0, LONG_SEQUENCE]);
    body.pad(8);
    let mut name = [0; 64];
    let algorithm = b"rfc4106(gcm(aes))";
    name[..algorithm.len()].copy_from_slice(algorithm);
    let mut told = name.to_vec();
    told.extend((KEY as u32 * 8).to_ne_bytes());
    told.extend(128_u32.to_ne_bytes());
    told.extend(key);
    body.attribute(ALGORITHM, &told);
    let words = [WINDOW, 0, 0, 0, 0, WINDOW * 32];
    let mut replay: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    replay.resize(replay.len() + WINDOW as usize * 4, 0);
    body.attribute(REPLAY, &replay);
    transact("XFRM_MSG_NEWSA", NEW_ASSOCIATION, body).map_err(|e| e.on(shown(association)))
}

/// The security associations that were made here, by whatever process.
pub fn associations() -> Result<Vec<Association>, SysError> {
    const CALL: &str = "XFRM_MSG_GETSA";
    const DUMP: u16 = 0x300;
    const DONE: u16 = 3;
    const ERROR: u16 = 2;
    let socket = open(CALL, NETLINK_XFRM)?;
    send(
        CALL,
        &socket,
        &message(GET_ASSOCIATION, REQUEST | DUMP, &[]),
    )?;
    let mut all = Vec::new();
    loop {
        let (bytes, _) = socket.recv_from_full().map_err(|e| SysError::io(CALL, e))?;
        let mut rest = bytes.as_slice();
        while let Some((kind, body, next)) = divide(rest) {
            match kind {
                DONE => return Ok(all),
                ERROR => {
                    let code = body
                        .first_chunk()
                        .map_or(0, |code| i32::from_ne_bytes(*code));
                    let source = std::io::Error::from_raw_os_error(-code);
                    return Err(SysError::io(CALL, source));
                }
                _ => all.extend(read(body)),
            }
            rest = next;
        }
    }
}

/// The first message: its kind, its body, and what follows.
fn divide(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = u32::from_ne_bytes(*bytes.first_chunk()?) as usize;
    let kind = u16::from_ne_bytes(*bytes.get(4..)?.first_chunk()?);
    let body = bytes.get(16..length)?;
    let next = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((kind, body, next))
}

/// `struct xfrm_usersa_info`, if we made it.
fn read(body: &[u8]) -> Option<Association> {
    let word = |at: usize| body.get(at..at + 4)?.first_chunk::<4>().copied();
    let family = u16::from_ne_bytes(*body.get(212..)?.first_chunk()?);
    let address = |at: usize| {
        let bytes: [u8; 16] = *body.get(at..)?.first_chunk()?;
        let [a, b, c, d, ..] = bytes;
        Some(if i32::from(family) == libc::AF_INET {
            IpAddr::from([a, b, c, d])
        } else {
            IpAddr::from(bytes)
        })
    };
    (u32::from_ne_bytes(word(208)?) == MARK).then_some(())?;
    Some(Association {
        from: address(80)?,
        to: address(56)?,
        spi: u32::from_be_bytes(word(72)?),
    })
}

/// Removes a security association; none is none.
pub fn remove_association(association: Association) -> Result<(), SysError> {
    let done = transact("XFRM_MSG_DELSA", DELETE_ASSOCIATION, named(association));
    match done {
        Err(error) if !is_missing(&error) => Err(error.on(shown(association))),
        _ => Ok(()),
    }
}

/// From now on datagrams between this host's address and anybody, to this port, pass only when they are encrypted.
pub fn require(own: IpAddr, port: u16, direction: Direction) -> Result<(), SysError> {
    let mut body = Body::default();
    body.one_port(own, port, direction);
    body.lifetime();
    body.zeros(4 + 4);
    body.bytes(&[code(direction), 0, 0, 0]);
    body.pad(8);
    let mut template = Body::default();
    template.identity(None, 0);
    template.bytes(&family(own).to_ne_bytes());
    template.pad(4);
    template.address(None);
    template.bytes(&MARK.to_ne_bytes());
    template.zeros(4);
    // Any algorithms will do: the association has been made by us.
    template.bytes(&[0xff; 12]);
    body.attribute(TEMPLATE, &template.0);
    transact("XFRM_MSG_UPDPOLICY", UPDATE_POLICY, body).map_err(|e| e.on(format!("port {port}")))
}

/// Ends that; none is none.
pub fn release(own: IpAddr, port: u16, direction: Direction) -> Result<(), SysError> {
    let mut body = Body::default();
    body.one_port(own, port, direction);
    body.zeros(4);
    body.bytes(&[code(direction)]);
    body.pad(4);
    match transact("XFRM_MSG_DELPOLICY", DELETE_POLICY, body) {
        Err(error) if !is_missing(&error) => Err(error.on(format!("port {port}"))),
        _ => Ok(()),
    }
}

fn is_missing(error: &SysError) -> bool {
    matches!(
        error.source.raw_os_error(),
        Some(libc::ENOENT | libc::ESRCH)
    )
}

fn shown(association: Association) -> String {
    let Association { from, to, spi } = association;
    format!("{from} to {to} spi {spi:#x}")
}

fn code(direction: Direction) -> u8 {
    match direction {
        Direction::In => 0,
        Direction::Out => 1,
    }
}

fn family(address: IpAddr) -> u16 {
    let family = match address {
        IpAddr::V4(_) => libc::AF_INET,
        IpAddr::V6(_) => libc::AF_INET6,
    };
    u16::try_from(family).expect("families are small numbers")
}

/// `struct xfrm_usersa_id`, and who sends.
fn named(association: Association) -> Body {
    let mut body = Body::default();
    body.address(Some(association.to));
    body.bytes(&association.spi.to_be_bytes());
    body.bytes(&family(association.to).to_ne_bytes());
    body.bytes(&[ESP, 0]);
    body
}

/// The structures of linux/xfrm.h, field by field.
#[derive(Default)]
struct Body(Vec<u8>);

impl Body {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn zeros(&mut self, count: usize) {
        self.0.resize(self.0.len() + count, 0);
    }

    fn pad(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    /// `xfrm_address_t`
    fn address(&mut self, address: Option<IpAddr>) {
        let start = self.0.len();
        match address {
            Some(IpAddr::V4(address)) => self.bytes(&address.octets()),
            Some(IpAddr::V6(address)) => self.bytes(&address.octets()),
            None => {}
        }
        self.0.resize(start + 16, 0);
    }

    /// `struct xfrm_id`
    fn identity(&mut self, to: Option<IpAddr>, spi: u32) {
        self.address(to);
        self.bytes(&spi.to_be_bytes());
        self.bytes(&[ESP, 0, 0, 0]);
    }

    /// `struct xfrm_selector`: an address that is not given is any of the family.
    fn selector(&mut self, to: Option<IpAddr>, from: Option<IpAddr>, port: u16, like: u16) {
        self.address(to);
        self.address(from);
        self.bytes(&port.to_be_bytes());
        let mask: u16 = if port == 0 { 0 } else { u16::MAX };
        self.bytes(&mask.to_be_bytes());
        self.zeros(4);
        self.bytes(&like.to_ne_bytes());
        let length = |address: Option<IpAddr>| match address {
            Some(IpAddr::V4(_)) => 32,
            Some(IpAddr::V6(_)) => 128,
            None => 0,
        };
        let protocol = if port == 0 { 0 } else { UDP };
        self.bytes(&[length(to), length(from), protocol, 0, 0, 0]);
        self.pad(4);
        self.zeros(4 + 4);
    }

    fn one_port(&mut self, own: IpAddr, port: u16, direction: Direction) {
        let (to, from) = match direction {
            Direction::In => (Some(own), None),
            Direction::Out => (None, Some(own)),
        };
        self.selector(to, from, port, family(own));
    }

    /// `struct xfrm_lifetime_cfg` without an end, and `struct xfrm_lifetime_cur`.
    fn lifetime(&mut self) {
        self.bytes(&[0xff; 32]);
        self.zeros(32 + 32);
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        let length = u16::try_from(4 + value.len()).expect("attributes are short");
        self.bytes(&length.to_ne_bytes());
        self.bytes(&kind.to_ne_bytes());
        self.bytes(value);
        self.pad(4);
    }
}

fn transact(call: &'static str, kind: u16, body: Body) -> Result<(), SysError> {
    let socket = open(call, NETLINK_XFRM)?;
    send(call, &socket, &message(kind, REQUEST | ACK, &body.0))?;
    acknowledged(call, &socket, 1)
}

fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + body.len()).expect("messages are short");
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend(1_u32.to_ne_bytes());
    message.extend(0_u32.to_ne_bytes());
    message.extend(body);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_have_the_kernels_sizes() {
        let here = IpAddr::from([10, 0, 0, 1]);
        let mut body = Body::default();
        body.selector(None, None, 0, 0);
        assert_eq!(body.0.len(), 56);
        let mut body = Body::default();
        body.identity(Some(here), 256);
        assert_eq!(body.0.len(), 24);
        assert_eq!(
            named(Association {
                from: here,
                to: here,
                spi: 256
            })
            .0
            .len(),
            24
        );
        let mut body = Body::default();
        body.lifetime();
        assert_eq!(body.0.len(), 64 + 32);
    }
}
