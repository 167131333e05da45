//! Where the machine's programs can be reached from inside the machine.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use kernel::error::SysError;
use kernel::netlink::listener::Listeners;

/// More ports are not named: learners choose how many there are.
const MOST: usize = 32;

/// TCP ports on which somebody listens at the machine's own loopback address, in ascending order.
///
/// A port that the machine's engine publishes is among them: the engine holds it with a listener.
pub(crate) fn ports(listeners: &Listeners) -> Result<Vec<u16>, SysError> {
    Ok(reachable(listeners.list()?))
}

fn reachable(listeners: Vec<SocketAddr>) -> Vec<u16> {
    let ports: BTreeSet<u16> = listeners
        .into_iter()
        .filter(|listener| at_loopback(listener.ip().to_canonical()))
        .map(|listener| listener.port())
        .collect();
    ports.into_iter().take(MOST).collect()
}

/// Whether a connection to 127.0.0.1 or `::1` arrives there.
fn at_loopback(ip: IpAddr) -> bool {
    ip.is_unspecified() || ip == IpAddr::from([127, 0, 0, 1]) || ip.is_loopback() && ip.is_ipv6()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_loopback_reaches_is_named_once() {
        let listeners = [
            "0.0.0.0:8000",
            "[::]:8000",
            "127.0.0.1:22",
            "[::1]:81",
            "[::ffff:127.0.0.1]:82",
            "127.0.0.11:53",
            "172.17.0.1:9000",
            "[fe80::1]:9001",
        ];
        let listeners = listeners.map(|text| text.parse().unwrap()).to_vec();
        assert_eq!(reachable(listeners), [22, 81, 82, 8000]);
        let many = (1..=100).map(|port| SocketAddr::from(([0, 0, 0, 0], port)));
        assert_eq!(reachable(many.collect()).len(), MOST);
    }
}
