//! What a container gets from this host, but limits and mounts: modes, ports, names, annotations.

use crate::api::types::{ContainerConfig, HostConfig};

use super::super::DaemonError;

/// Checks modes and their conflicts. Returns warnings.
pub(crate) fn host(
    config: &ContainerConfig,
    host: &HostConfig,
) -> Result<Vec<String>, DaemonError> {
    modes(host)?;
    conflicts(config, host)?;
    windows_only(host)?;
    super::security::security(host)?;
    ports(host)?;
    mac_address(&config.mac_address).map_err(|why| {
        let network = match host.network_mode.as_str() {
            "" | "default" => "bridge",
            network => network,
        };
        invalid(format!("invalid config for network {network}: {why}"))
    })?;
    if host.shm_size < 0 {
        return Err(invalid("SHM size can not be less than 0"));
    }
    if host.annotations.keys().any(String::is_empty) {
        return Err(invalid(
            "invalid Annotations: the empty string is not permitted as an annotation key",
        ));
    }
    for line in host.extra_hosts.iter().flatten() {
        let pair = line.split_once(['=', ':']);
        if pair.is_none_or(|(name, address)| name.is_empty() || address.is_empty()) {
            return Err(invalid(format!("bad format for add-host: \"{line}\"")));
        }
    }
    let mut warnings = Vec::new();
    if host.network_mode == "host" && !host.port_bindings.is_empty() {
        warnings.push("Published ports are discarded when using host network mode".into());
    }
    Ok(warnings)
}

fn invalid(text: impl Into<String>) -> DaemonError {
    DaemonError::Invalid(text.into())
}

fn modes(host: &HostConfig) -> Result<(), DaemonError> {
    let of_container = |mode: &str| {
        mode.strip_prefix("container:")
            .is_some_and(|name| !name.is_empty())
    };
    let known = [
        (
            "PID",
            &host.pid_mode,
            matches!(host.pid_mode.as_str(), "" | "host") || of_container(&host.pid_mode),
        ),
        (
            "IPC",
            &host.ipc_mode,
            matches!(
                host.ipc_mode.as_str(),
                "" | "none" | "private" | "shareable" | "host"
            ) || of_container(&host.ipc_mode),
        ),
        (
            "UTS",
            &host.uts_mode,
            matches!(host.uts_mode.as_str(), "" | "host"),
        ),
        (
            "cgroup namespace",
            &host.cgroupns_mode,
            matches!(host.cgroupns_mode.as_str(), "" | "host" | "private"),
        ),
        (
            "userns",
            &host.userns_mode,
            matches!(host.userns_mode.as_str(), "" | "host"),
        ),
    ];
    match known.iter().find(|(_, _, valid)| !valid) {
        Some((what, mode, _)) => Err(invalid(format!("invalid {what} mode: {mode}"))),
        None => Ok(()),
    }
}

/// Who shares a network namespace has no name, address or port of its own.
fn conflicts(config: &ContainerConfig, host: &HostConfig) -> Result<(), DaemonError> {
    let conflict = |what: &str| Err(invalid(format!("conflicting options: {what}")));
    let joins = host.network_mode.starts_with("container:");
    let has = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
    if joins && !config.hostname.is_empty() {
        return conflict("hostname and the network mode");
    }
    if host.uts_mode == "host" && !config.hostname.is_empty() {
        return conflict("hostname and the UTS mode");
    }
    let undefined = "can't be used with links. This would result in undefined behavior";
    if has(&host.links) && joins {
        return conflict(&format!("container type network {undefined}"));
    }
    if has(&host.links) && host.network_mode == "host" {
        return conflict(&format!("host type networking {undefined}"));
    }
    if joins && has(&host.dns) {
        return conflict("dns and the network mode");
    }
    if joins && has(&host.extra_hosts) {
        return conflict("custom host-to-IP mapping and the network mode");
    }
    if (joins || host.network_mode == "host") && !config.mac_address.is_empty() {
        return conflict("mac-address and the network mode");
    }
    if joins && (!host.port_bindings.is_empty() || host.publish_all_ports) {
        return conflict("port publishing and the container type network mode");
    }
    if joins && !config.exposed_ports.is_empty() {
        return conflict("port exposing and the container type network mode");
    }
    if host.auto_remove && !matches!(host.restart_policy.name.as_str(), "" | "no") {
        return Err(invalid(
            "can't create 'AutoRemove' container with restart policy",
        ));
    }
    Ok(())
}

fn windows_only(host: &HostConfig) -> Result<(), DaemonError> {
    let refused = |text: String| Err(DaemonError::Refused(text));
    if !matches!(host.isolation.as_str(), "" | "default") {
        return refused(format!(
            "Invalid isolation: \"{}\" - linux only supports 'default'",
            host.isolation
        ));
    }
    let of_disks = [
        (host.io_maximum_bandwidth, "bandwidth"),
        (host.io_maximum_iops, "IOPs"),
    ];
    match of_disks.iter().find(|(most, _)| *most != 0) {
        Some((_, what)) => refused(format!(
            "Invalid QoS settings: linux does not support configuration of maximum {what}"
        )),
        None => Ok(()),
    }
}

fn ports(host: &HostConfig) -> Result<(), DaemonError> {
    let bad = |text: &str| invalid(format!("invalid port specification: \"{text}\""));
    for (port, bindings) in &host.port_bindings {
        let number = port.split('/').next().unwrap_or_default();
        if !is_port(number) {
            return Err(bad(port));
        }
        for binding in bindings {
            let (first, last) = binding
                .host_port
                .split_once('-')
                .unwrap_or((&binding.host_port, &binding.host_port));
            let range = is_port(first) && is_port(last);
            if !binding.host_port.is_empty() && !range {
                return Err(bad(&binding.host_port));
            }
        }
    }
    Ok(())
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}

/// Six bytes in hexadecimal, separated by colons.
fn mac_address(text: &str) -> Result<(), DaemonError> {
    let parts: Vec<&str> = text.split(':').collect();
    let good = parts.len() == 6
        && parts
            .iter()
            .all(|part| part.len() == 2 && u8::from_str_radix(part, 16).is_ok());
    if text.is_empty() || good {
        return Ok(());
    }
    Err(invalid(format!("invalid MAC address {text}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: serde_json::Value, hostname: &str, words: &str) {
        let asked: HostConfig = serde_json::from_value(json).unwrap();
        let config = ContainerConfig {
            hostname: hostname.into(),
            ..ContainerConfig::default()
        };
        let found = host(&config, &asked).map_err(|error| error.to_string());
        assert_eq!(found.err().unwrap_or_default(), words);
    }

    #[test]
    fn modes_are_known() {
        use serde_json::json;
        check(json!({"PidMode": "container:x", "IpcMode": "none"}), "", "");
        check(json!({"PidMode": "foo"}), "", "invalid PID mode: foo");
        check(json!({"IpcMode": "foo"}), "", "invalid IPC mode: foo");
        check(json!({"UTSMode": "foo"}), "", "invalid UTS mode: foo");
        check(
            json!({"CgroupnsMode": "foo"}),
            "",
            "invalid cgroup namespace mode: foo",
        );
    }

    #[test]
    fn who_shares_a_network_has_no_name_of_its_own() {
        use serde_json::json;
        check(
            json!({"NetworkMode": "container:x"}),
            "name",
            "conflicting options: hostname and the network mode",
        );
        check(
            json!({"NetworkMode": "container:x", "PublishAllPorts": true}),
            "",
            "conflicting options: port publishing and the container type network mode",
        );
    }

    #[test]
    fn ports_are_numbers() {
        use serde_json::json;
        check(
            json!({"PortBindings": {"80/tcp": [{"HostPort": "8000-8010"}]}}),
            "",
            "",
        );
        check(
            json!({"PortBindings": {"99999": [{}]}}),
            "",
            "invalid port specification: \"99999\"",
        );
        check(
            json!({"PortBindings": {"80": [{"HostPort": "x"}]}}),
            "",
            "invalid port specification: \"x\"",
        );
    }

    #[test]
    fn addresses_of_links_have_six_bytes() {
        assert!(mac_address("02:42:ac:11:00:02").is_ok() && mac_address("").is_ok());
        assert!(mac_address("foo").is_err() && mac_address("02:42:ac:11:00").is_err());
    }
}
