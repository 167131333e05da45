//! Options → the body of `POST /containers/create`. Pure, but for the files that options name.

use serde_json::{Map, Value, json};

use super::create_limits::{device, limits};
use crate::cli::error::CliError;
use crate::cli::flags::Matches;
use crate::cli::options::environment;
use crate::cli::options::mounts::Mounts;
use crate::cli::options::networks::Networks;
use crate::cli::options::ports::Published;
use crate::cli::options::{checks, reference, words};

/// Whether the caller stays with the container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// Its streams are attached.
    Attached,
    /// It runs on its own.
    Detached,
}

/// The whole body; the first operand is the image, the others the command.
pub(super) fn body(matches: &Matches, presence: Presence) -> Result<Value, CliError> {
    check(matches)?;
    let published = Published::parse(matches.all("publish"), matches.all("expose"))?;
    let mounts = Mounts::parse(
        matches.all("volume"),
        matches.all("mount"),
        matches.all("tmpfs"),
    )?;
    let networks = Networks::parse(matches)?;
    let mut body = config(matches, presence)?;
    let mut host = host_config(matches)?;

    if !published.exposed.is_empty() {
        body.insert("ExposedPorts".into(), published.exposed_body());
    }
    host.insert("PortBindings".into(), published.bindings_body());
    if !mounts.anonymous.is_empty() {
        body.insert("Volumes".into(), mounts.volumes_body());
    }
    put_list(&mut host, "Binds", &mounts.binds);
    if !mounts.mounts.is_empty() {
        host.insert("Mounts".into(), mounts.mounts.into());
    }
    if !mounts.tmpfs.is_empty() {
        host.insert("Tmpfs".into(), json!(mounts.tmpfs));
    }
    host.insert("NetworkMode".into(), networks.mode.into());
    body.insert("HostConfig".into(), host.into());
    if !networks.endpoints.is_empty() {
        body.insert(
            "NetworkingConfig".into(),
            json!({ "EndpointsConfig": networks.endpoints }),
        );
    }
    Ok(body.into())
}

/// Refuses what no daemon could do, in the words of Docker's client.
fn check(matches: &Matches) -> Result<(), CliError> {
    let said = |why: String| Err(CliError::Said(why));
    if let Err(why) = reference::check(&matches.operands[0]) {
        return said(why);
    }
    if let Some(mac) = matches
        .text("mac-address")
        .filter(|mac| !checks::is_mac(mac))
    {
        return said(format!("{mac} is not a valid mac address"));
    }
    for (option, kind, good) in [
        ("pid", "PID", ["", "host"].as_slice()),
        ("uts", "UTS", &["", "host"]),
        ("userns", "USER", &["", "host"]),
        ("cgroupns", "CGROUP", &["", "private", "host"]),
    ] {
        let Some(mode) = matches.text(option) else {
            continue;
        };
        let shared = option == "pid" && mode.starts_with("container:") && mode.len() > 10;
        if !good.contains(&mode) && !shared {
            return said(format!("--{option}: invalid {kind} mode"));
        }
    }
    Ok(())
}

/// What the process is.
fn config(matches: &Matches, presence: Presence) -> Result<Map<String, Value>, CliError> {
    let (image, command) = matches
        .operands
        .split_first()
        .expect("the image was counted");
    let interactive = matches.on("interactive");
    let attach = |stream: &str, otherwise: bool| {
        presence == Presence::Attached
            && match matches.all("attach") {
                [] => otherwise,
                given => given.iter().any(|word| word.eq_ignore_ascii_case(stream)),
            }
    };
    let stdin = attach("stdin", interactive);
    let mut labels = Vec::new();
    for file in matches.all("label-file") {
        labels.extend(environment::lines(file)?);
    }
    labels.extend_from_slice(matches.all("label"));
    let mut body = Map::new();
    for (key, value) in [
        ("Image", json!(image)),
        ("AttachStdin", stdin.into()),
        ("AttachStdout", attach("stdout", true).into()),
        ("AttachStderr", attach("stderr", true).into()),
        ("Tty", matches.on("tty").into()),
        ("OpenStdin", interactive.into()),
        ("StdinOnce", stdin.into()),
        (
            "Env",
            json!(environment::collect(
                matches.all("env-file"),
                matches.all("env")
            )?),
        ),
        ("Labels", json!(words::map(&labels))),
    ] {
        body.insert(key.into(), value);
    }
    if !command.is_empty() {
        body.insert("Cmd".into(), json!(command));
    }
    // An empty entry point removes the image's.
    if matches.given("entrypoint") {
        body.insert(
            "Entrypoint".into(),
            json!([matches.text("entrypoint").unwrap_or("")]),
        );
    }
    put_text(&mut body, "Hostname", matches.text("hostname"));
    put_text(&mut body, "Domainname", matches.text("domainname"));
    put_text(&mut body, "User", matches.text("user"));
    put_text(&mut body, "WorkingDir", matches.text("workdir"));
    put_text(&mut body, "StopSignal", matches.text("stop-signal"));
    put_number(&mut body, "StopTimeout", matches.int("stop-timeout"));
    if let Some(health) = health(matches)? {
        body.insert("Healthcheck".into(), health);
    }
    Ok(body)
}

fn health(matches: &Matches) -> Result<Option<Value>, CliError> {
    let mut health = Map::new();
    if let Some(command) = matches.text("health-cmd") {
        health.insert("Test".into(), json!(["CMD-SHELL", command]));
    }
    for (key, option) in [
        ("Interval", "health-interval"),
        ("Timeout", "health-timeout"),
        ("StartPeriod", "health-start-period"),
        ("StartInterval", "health-start-interval"),
    ] {
        put_number(&mut health, key, matches.nanos(option));
    }
    put_number(&mut health, "Retries", matches.int("health-retries"));
    if matches.on("no-healthcheck") {
        if !health.is_empty() {
            return Err(CliError::Said(
                "--no-healthcheck conflicts with --health-* options".to_owned(),
            ));
        }
        return Ok(Some(json!({ "Test": ["NONE"] })));
    }
    Ok((!health.is_empty()).then(|| health.into()))
}

/// What surrounds the process.
fn host_config(matches: &Matches) -> Result<Map<String, Value>, CliError> {
    let restart = restart(matches)?;
    let mut host = Map::new();
    for (key, value) in [
        ("AutoRemove", matches.on("rm").into()),
        ("Privileged", matches.on("privileged").into()),
        ("PublishAllPorts", matches.on("publish-all").into()),
        ("ReadonlyRootfs", matches.on("read-only").into()),
        ("RestartPolicy", restart),
        (
            "LogConfig",
            json!({
                "Type": matches.text("log-driver").unwrap_or(""),
                "Config": words::map(matches.all("log-opt")),
            }),
        ),
    ] {
        host.insert(key.into(), value);
    }
    for (key, option) in [("CapAdd", "cap-add"), ("CapDrop", "cap-drop")] {
        put_list(&mut host, key, &capabilities(matches.all(option)));
    }
    for (key, option) in [
        ("Dns", "dns"),
        ("DnsOptions", "dns-option"),
        ("DnsSearch", "dns-search"),
        ("GroupAdd", "group-add"),
        ("Links", "link"),
        ("VolumesFrom", "volumes-from"),
        ("DeviceCgroupRules", "device-cgroup-rule"),
    ] {
        put_list(&mut host, key, matches.all(option));
    }
    let hosts: Vec<String> = matches
        .all("add-host")
        .iter()
        .map(|word| checks::extra_host(word).map_err(CliError::Said))
        .collect::<Result<_, _>>()?;
    put_list(&mut host, "ExtraHosts", &hosts);
    for (key, option) in [
        ("CgroupParent", "cgroup-parent"),
        ("CgroupnsMode", "cgroupns"),
        ("ContainerIDFile", "cidfile"),
        ("IpcMode", "ipc"),
        ("Isolation", "isolation"),
        ("PidMode", "pid"),
        ("UTSMode", "uts"),
        ("UsernsMode", "userns"),
        ("Runtime", "runtime"),
        ("VolumeDriver", "volume-driver"),
    ] {
        put_text(&mut host, key, matches.text(option));
    }
    for (key, option) in [
        ("Sysctls", "sysctl"),
        ("StorageOpt", "storage-opt"),
        ("Annotations", "annotation"),
    ] {
        if !matches.all(option).is_empty() {
            host.insert(key.into(), json!(words::map(matches.all(option))));
        }
    }
    if matches.on("init") {
        host.insert("Init".into(), true.into());
    }
    if matches.on("oom-kill-disable") {
        host.insert("OomKillDisable".into(), true.into());
    }
    put_number(&mut host, "OomScoreAdj", matches.int("oom-score-adj"));
    put_number(&mut host, "ShmSize", matches.bytes("shm-size"));
    host.extend(limits(matches)?);
    let devices: Vec<Value> = matches
        .all("device")
        .iter()
        .map(|word| device(word))
        .collect();
    if !devices.is_empty() {
        host.insert("Devices".into(), devices.into());
    }
    security(matches, &mut host)?;
    Ok(host)
}

/// `no`, `always`, `unless-stopped`, `on-failure[:N]`
pub(super) fn restart_policy(word: &str) -> Result<Value, CliError> {
    let (name, count) = word.split_once(':').unwrap_or((word, "0"));
    let count: i64 = count.parse().map_err(|_| {
        CliError::Said(
            "invalid restart policy format: maximum retry count must be an integer".into(),
        )
    })?;
    Ok(json!({ "Name": name, "MaximumRetryCount": count }))
}

fn restart(matches: &Matches) -> Result<Value, CliError> {
    let word = matches.text("restart").unwrap_or("no");
    if matches.on("rm") && word != "no" {
        return Err(CliError::Said(
            "conflicting options: cannot specify both --restart and --rm".to_owned(),
        ));
    }
    restart_policy(word)
}

/// `--security-opt`: a seccomp profile is read here, because the file is the client's.
fn security(matches: &Matches, host: &mut Map<String, Value>) -> Result<(), CliError> {
    let mut options = Vec::new();
    for word in matches.all("security-opt") {
        let (key, value) = word
            .split_once('=')
            .or_else(|| word.split_once(':'))
            .unwrap_or((word, ""));
        match (key, value) {
            ("seccomp", "unconfined" | "builtin") => options.push(word.clone()),
            ("seccomp", file) => {
                let text = std::fs::read_to_string(file).map_err(|source| CliError::File {
                    what: "opening seccomp profile",
                    path: format!("({file}) failed: open {file}"),
                    source,
                })?;
                let profile: Value = serde_json::from_str(&text).map_err(|error| {
                    CliError::Said(format!(
                        "compacting json for seccomp profile ({file}) failed: {error}"
                    ))
                })?;
                options.push(format!("seccomp={profile}"));
            }
            ("systempaths", "unconfined") => {
                host.insert("MaskedPaths".into(), json!([]));
                host.insert("ReadonlyPaths".into(), json!([]));
            }
            _ => options.push(word.clone()),
        }
    }
    put_list(host, "SecurityOpt", &options);
    Ok(())
}

pub(super) fn put_text(into: &mut Map<String, Value>, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        into.insert(key.into(), value.into());
    }
}

pub(super) fn put_number(into: &mut Map<String, Value>, key: &str, value: Option<i64>) {
    if let Some(value) = value {
        into.insert(key.into(), value.into());
    }
}

pub(super) fn put_list(into: &mut Map<String, Value>, key: &str, values: &[String]) {
    if !values.is_empty() {
        into.insert(key.into(), json!(values));
    }
}

/// Their whole names, each once.
fn capabilities(words: &[String]) -> Vec<String> {
    let whole = |word: &String| match word.trim().to_ascii_uppercase() {
        name if name == "ALL" || name == "RESET" || name.starts_with("CAP_") => name,
        name => format!("CAP_{name}"),
    };
    let names: std::collections::BTreeSet<String> = words.iter().map(whole).collect();
    names.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::super::create_options::OPTIONS;
    use super::*;
    use crate::cli::flags::Order;

    fn parse(line: &str) -> Result<Value, CliError> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        body(
            &Matches::parse(&[OPTIONS], &words, Order::First).unwrap(),
            Presence::Attached,
        )
    }

    #[track_caller]
    fn check(line: &str, pointer: &str, expected: Value) {
        let body = parse(line).unwrap();
        assert_eq!(
            body.pointer(pointer).unwrap_or(&Value::Null),
            &expected,
            "{line}"
        );
    }

    #[test]
    fn the_image_and_the_command() {
        check("busybox ls -l", "/Image", json!("busybox"));
        check("busybox ls -l", "/Cmd", json!(["ls", "-l"]));
        check("busybox", "/Cmd", Value::Null);
        check("--entrypoint sh busybox", "/Entrypoint", json!(["sh"]));
        check("--entrypoint= busybox", "/Entrypoint", json!([""]));
    }

    #[test]
    fn streams() {
        check("busybox", "/AttachStdin", json!(false));
        check("busybox", "/AttachStdout", json!(true));
        check("-it busybox", "/StdinOnce", json!(true));
        check("-a stderr busybox", "/AttachStdout", json!(false));
    }

    #[test]
    fn limits_and_rights() {
        check("-m 64m busybox", "/HostConfig/Memory", json!(64 << 20));
        check(
            "--cpus 1.5 busybox",
            "/HostConfig/NanoCpus",
            json!(1_500_000_000),
        );
        check(
            "--pids-limit 20 busybox",
            "/HostConfig/PidsLimit",
            json!(20),
        );
        check(
            "--cap-add NET_ADMIN busybox",
            "/HostConfig/CapAdd",
            json!(["CAP_NET_ADMIN"]),
        );
        check(
            "--ulimit nofile=10:20 busybox",
            "/HostConfig/Ulimits/0",
            json!({"Name": "nofile", "Soft": 10, "Hard": 20}),
        );
        check(
            "--device /dev/fuse:r busybox",
            "/HostConfig/Devices/0",
            json!({"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/fuse",
                   "CgroupPermissions": "r"}),
        );
        check(
            "--security-opt no-new-privileges b",
            "/HostConfig/SecurityOpt",
            json!(["no-new-privileges"]),
        );
    }

    #[test]
    fn lives_and_health() {
        check(
            "--restart on-failure:3 busybox",
            "/HostConfig/RestartPolicy",
            json!({"Name": "on-failure", "MaximumRetryCount": 3}),
        );
        check(
            "--health-cmd x --health-interval 5s b",
            "/Healthcheck/Interval",
            json!(5_000_000_000_i64),
        );
        check(
            "--no-healthcheck b",
            "/Healthcheck",
            json!({"Test": ["NONE"]}),
        );
        assert!(parse("--rm --restart always b").is_err());
        assert!(parse("--no-healthcheck --health-cmd x b").is_err());
    }

    #[test]
    fn networks() {
        check("b", "/HostConfig/NetworkMode", json!("default"));
        check("--network none b", "/HostConfig/NetworkMode", json!("none"));
        check("--network none b", "/NetworkingConfig", Value::Null);
        check(
            "--network n --ip 10.0.0.2 --network-alias web b",
            "/NetworkingConfig/EndpointsConfig/n",
            json!({"IPAMConfig": {"IPv4Address": "10.0.0.2"}, "Aliases": ["web"]}),
        );
    }
}
