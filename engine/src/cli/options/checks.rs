//! What Docker's client itself refuses before any daemon is asked.

use std::net::IpAddr;

/// The parameters that have a namespace of their own.
const SYSCTLS: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];

/// `--sysctl`: only what belongs to the container's namespaces.
pub(crate) fn sysctl(word: &str) -> Result<(), String> {
    let name = word.split('=').next().unwrap_or_default();
    let known =
        SYSCTLS.contains(&name) || name.starts_with("net.") || name.starts_with("fs.mqueue.");
    if known && word.contains('=') {
        Ok(())
    } else {
        Err(format!("sysctl '{word}' is not allowed"))
    }
}

/// `--add-host NAME:IP` or `NAME=IP`, as `NAME:IP`.
pub(crate) fn extra_host(word: &str) -> Result<String, String> {
    let parted = match word.split_once('=') {
        Some(parted) => Some(parted),
        None => word.split_once(':'),
    };
    let Some((name, address)) = parted.filter(|(name, _)| !name.is_empty()) else {
        return Err(format!("bad format for add-host: {word:?}"));
    };
    let bare = address.trim_start_matches('[').trim_end_matches(']');
    if address == "host-gateway" {
        return Ok(format!("{name}:{address}"));
    }
    match bare.parse::<IpAddr>() {
        Ok(_) => Ok(format!("{name}:{bare}")),
        Err(_) => Err(format!("invalid IP address in add-host: {address:?}")),
    }
}

/// `--dns`: an address.
pub(crate) fn dns(word: &str) -> Result<(), String> {
    match word.trim().parse::<IpAddr>() {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("IP address is not correctly formatted: {word}")),
    }
}

/// `--mac-address`: six bytes in hexadecimal, between colons or dashes.
pub(crate) fn is_mac(word: &str) -> bool {
    let bytes: Vec<&str> = word.split([':', '-']).collect();
    let byte = |part: &&str| part.len() == 2 && part.chars().all(|c| c.is_ascii_hexdigit());
    bytes.len() == 6 && bytes.iter().all(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_two_spellings() {
        assert_eq!(extra_host("a:1.2.3.4").unwrap(), "a:1.2.3.4");
        assert_eq!(extra_host("b=::1").unwrap(), "b:::1");
        assert_eq!(extra_host("c:[::1]").unwrap(), "c:::1");
        assert_eq!(extra_host("d:host-gateway").unwrap(), "d:host-gateway");
        assert!(extra_host("bad").is_err());
        assert!(extra_host("a:b").is_err());
    }

    #[test]
    fn sysctls_belong_to_a_namespace() {
        assert!(sysctl("net.ipv4.ip_forward=1").is_ok());
        assert!(sysctl("kernel.sem=1").is_ok());
        assert!(sysctl("kernel.hostname=x").is_err());
    }

    #[test]
    fn a_mac_has_six_bytes() {
        assert!(is_mac("92:d0:c6:0a:29:33"));
        assert!(!is_mac("bad"));
    }
}
