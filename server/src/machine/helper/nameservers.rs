//! Who answers questions about names on this host, as machines can ask them too.

use std::net::Ipv4Addr;

/// The host's own choice, and where systemd-resolved keeps what stands behind its loopback address.
const FILES: [&str; 2] = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];

/// The first file's nameservers that a machine can reach; none where all listen on loopback only.
pub(super) fn find() -> Vec<Ipv4Addr> {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let found = FILES.into_iter().map(|path| parse(&read(path)));
    found
        .into_iter()
        .find(|all| !all.is_empty())
        .unwrap_or_default()
}

/// The IPv4 addresses of `nameserver` lines, without loopback ones; see resolv.conf(5).
fn parse(text: &str) -> Vec<Ipv4Addr> {
    let address = |line: &str| {
        let mut words = line.split_whitespace();
        let address: Ipv4Addr = (words.next()? == "nameserver")
            .then(|| words.next())??
            .parse()
            .ok()?;
        (!address.is_loopback() && !address.is_unspecified()).then_some(address)
    };
    text.lines().filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_machine_can_reach_is_kept() {
        let text = "# nameserver 192.0.2.9\nsearch example.org\nnameserver 127.0.0.53\n\
                    nameserver ::1\n nameserver\t192.0.2.1 # here\nnameserver\nnameserver 192.0.2.2\n";
        let expected = [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)];
        assert_eq!(parse(text), expected);
        assert_eq!(parse("nameserver 127.0.0.1\n"), Vec::<Ipv4Addr>::new());
    }
}
