//! `net/tcp` and `net/tcp6`: the TCP sockets of a network namespace; see proc_pid_net(5).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// `TCP_LISTEN` of linux/tcp_states.h.
const LISTEN: &[u8] = b"0A";

/// The addresses on which somebody listens; a line that is none is left out.
pub(super) fn listeners(text: &[u8]) -> Vec<SocketAddr> {
    let lines = text.split(|byte| *byte == b'\n').skip(1);
    lines.filter_map(listener).collect()
}

/// `  sl  local_address rem_address   st …`
fn listener(line: &[u8]) -> Option<SocketAddr> {
    let mut words = line
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    let local = words.nth(1)?;
    (words.nth(1)? == LISTEN).then(|| address(local)).flatten()
}

/// `0100007F:1F90`: each 32 bits of the address as a number of this machine's byte order.
fn address(word: &[u8]) -> Option<SocketAddr> {
    let word = std::str::from_utf8(word).ok()?;
    let (address, port) = word.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let part = |at: usize| {
        let digits = address.get(at * 8..at * 8 + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    let ip: IpAddr = match address.len() {
        8 => Ipv4Addr::from(part(0)?).into(),
        32 => {
            let parts = [part(0)?, part(1)?, part(2)?, part(3)?];
            let bytes: [u8; 16] = std::array::from_fn(|at| parts[at / 4][at % 4]);
            Ipv6Addr::from(bytes).into()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<&str>) {
        let text = format!("  sl  local_address rem_address   st\n{line}\n");
        let expected: Vec<SocketAddr> = expected.iter().map(|a| a.parse().unwrap()).collect();
        assert_eq!(listeners(text.as_bytes()), expected);
    }

    #[test]
    fn only_listeners_are_named() {
        check(
            "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1",
            Some("127.0.0.1:8080"),
        );
        check(
            "   1: 00000000:0016 00000000:0000 0A 00000000:00000000",
            Some("0.0.0.0:22"),
        );
        check(
            "   2: 0100007F:1F90 0100007F:C350 01 00000000:00000000",
            None,
        );
        check(
            "   0: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 0",
            Some("[::1]:80"),
        );
        for nonsense in ["", "   x", "   0: 0100:1F90 0:0 0A", "  0: é:1 0 0A"] {
            check(nonsense, None);
        }
    }

    #[test]
    fn this_process_finds_its_own_listener() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let text = std::fs::read("/proc/self/net/tcp").unwrap();
        assert!(listeners(&text).contains(&listener.local_addr().unwrap()));
    }
}
