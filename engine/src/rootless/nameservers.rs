//! The name servers inside the engine's namespaces.

use std::net::IpAddr;

/// The text of resolv.conf(5) for namespaces that reach the host's own resolver at `forwarder` only: a server on
/// loopback is not theirs. IPv6 link-local servers name an interface that is not theirs either.
pub(super) fn inside(host: &str, forwarder: IpAddr) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut servers = 0;
    for line in host.lines() {
        let Some(server) = line.trim().strip_prefix("nameserver") else {
            lines.push(line.to_owned());
            continue;
        };
        let reachable = |address: &IpAddr| !address.is_loopback() && !address.is_unspecified();
        match server.trim().parse::<IpAddr>() {
            Ok(address) if reachable(&address) => {
                lines.push(format!("nameserver {address}"));
                servers += 1;
            }
            _ => {}
        }
    }
    if servers == 0 {
        lines.push(format!("nameserver {forwarder}"));
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(host: &str, expected: &str) {
        let forwarder = "169.254.1.1".parse().unwrap();
        assert_eq!(inside(host, forwarder), expected);
    }

    #[test]
    fn the_hosts_own_resolver_is_reached_through_the_helper() {
        check(
            "search lan\nnameserver 127.0.0.53\noptions edns0\n",
            "search lan\noptions edns0\nnameserver 169.254.1.1\n",
        );
        check(
            "nameserver fe80::1%eth0\nnameserver ::1\n",
            "nameserver 169.254.1.1\n",
        );
        check(
            "nameserver 10.0.0.1\nnameserver 127.0.0.1\n",
            "nameserver 10.0.0.1\n",
        );
        check("", "nameserver 169.254.1.1\n");
    }
}
