//! What the engine's configuration says about registries.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;

/// How registries are reached.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Servers asked before Docker's own registry (`registry-mirrors`).
    pub mirrors: Vec<Url>,
    /// Registries that need no valid certificate and may speak plain HTTP (`insecure-registries`).
    insecure: Vec<Insecure>,
    /// Where `/etc/docker/certs.d`, `/etc/resolv.conf` and the certificates of authorities are looked for.
    pub root: PathBuf,
    /// Longest silence of a server.
    pub patience: Duration,
    /// How often a broken transfer is taken up again.
    pub attempts: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Insecure {
    Host(String),
    Network(Network),
}

/// Addresses that begin with the same bits: `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// A text that names no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid network {0:?}: expected ADDRESS/BITS")]
pub struct BadNetwork(String);

impl std::str::FromStr for Network {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let bad = || BadNetwork(text.to_owned());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |bits| bits.parse::<u8>().map_err(|_| bad()))?;
        if bits > most {
            return Err(bad());
        }
        Ok(Self { address, bits })
    }
}

impl Network {
    /// Whether an address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        contains(self.address, self.bits, address)
    }
}

/// A registry setting that cannot be understood. The wording is Docker's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSetting {
    /// A mirror is no address of a server.
    #[error("invalid mirror: {0:?} is not a valid URI: expected http://HOST or https://HOST")]
    Mirror(String),
    /// An insecure registry is no host.
    #[error("insecure registry {0:?} is not valid: expected HOST, HOST:PORT or ADDRESS/BITS")]
    Insecure(String),
}

impl Settings {
    /// Reads `registry-mirrors` and `insecure-registries`.
    pub fn parse(
        mirrors: &[String],
        insecure: &[String],
        root: PathBuf,
    ) -> Result<Self, BadSetting> {
        Ok(Self {
            mirrors: mirrors
                .iter()
                .map(|text| mirror(text))
                .collect::<Result<_, _>>()?,
            insecure: insecure
                .iter()
                .map(|text| parse_insecure(text))
                .collect::<Result<_, _>>()?,
            root,
            patience: Duration::from_secs(60),
            attempts: 5,
        })
    }

    /// Whether a registry (`host[:port]`) may be spoken to without a valid certificate.
    pub fn is_insecure(&self, host: &str) -> bool {
        let name = host_name(host);
        let address = name.parse::<IpAddr>().ok();
        if name == "localhost" || address.is_some_and(|address| address.is_loopback()) {
            return true;
        }
        self.insecure.iter().any(|known| match known {
            Insecure::Host(known) => known == host || known == name,
            Insecure::Network(network) => address.is_some_and(|address| network.contains(address)),
        })
    }
}

/// The host without its port and brackets.
pub(super) fn host_name(host: &str) -> &str {
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, _)) => name,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}

fn mirror(text: &str) -> Result<Url, BadSetting> {
    let bad = || BadSetting::Mirror(text.to_owned());
    let url = Url::parse(text).map_err(|_| bad())?;
    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    let fine = matches!(url.scheme(), "http" | "https") && url.path() == "/" && plain;
    if fine { Ok(url) } else { Err(bad()) }
}

fn parse_insecure(text: &str) -> Result<Insecure, BadSetting> {
    let bad = || BadSetting::Insecure(text.to_owned());
    if text.is_empty() || text.contains("://") || text.starts_with('-') {
        return Err(bad());
    }
    match text.split_once('/') {
        None => Ok(Insecure::Host(text.to_owned())),
        Some(_) => text.parse().map(Insecure::Network).map_err(|_| bad()),
    }
}

fn contains(network: IpAddr, bits: u8, address: IpAddr) -> bool {
    let (network, address, width) = match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => (
            u128::from(u32::from(network)),
            u128::from(u32::from(address)),
            32,
        ),
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            (u128::from(network), u128::from(address), 128)
        }
        _ => return false,
    };
    let shift = u32::from(width - bits);
    shift == 128 || network >> shift == address >> shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_the_listed_are_insecure() {
        let listed = [
            "r.test".to_owned(),
            "s.test:5000".to_owned(),
            "10.1.0.0/16".to_owned(),
        ];
        let settings = Settings::parse(&[], &listed, "/".into()).unwrap();
        for (host, insecure) in [
            ("localhost:5000", true),
            ("127.0.0.1:5000", true),
            ("127.9.9.9", true),
            ("[::1]:5000", true),
            ("r.test", true),
            ("r.test:443", true),
            ("s.test", false),
            ("s.test:5000", true),
            ("10.1.2.3:5000", true),
            ("10.2.2.3:5000", false),
            ("docker.io", false),
        ] {
            assert_eq!(settings.is_insecure(host), insecure, "{host}");
        }
    }

    #[test]
    fn settings_are_checked_when_they_are_read() {
        for bad in ["x", "ftp://x", "https://x/y", "https://x/?q", "https://u@x"] {
            assert!(
                Settings::parse(&[bad.to_owned()], &[], "/".into()).is_err(),
                "{bad}"
            );
        }
        for bad in ["", "http://x", "10.0.0.0/33", "x/8"] {
            assert!(
                Settings::parse(&[], &[bad.to_owned()], "/".into()).is_err(),
                "{bad}"
            );
        }
    }
}
