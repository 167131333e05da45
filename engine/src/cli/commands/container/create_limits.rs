//! Options → the limits and devices of `HostConfig`. Pure.

use serde_json::{Map, Value, json};

use super::create_body::{put_number, put_text};
use crate::cli::error::CliError;
use crate::cli::flags::Matches;
use crate::cli::options::{gpus, size, ulimit};

/// The limits that `update` can change later.
pub(super) fn update_limits(matches: &Matches) -> Map<String, Value> {
    let mut host = Map::new();
    for (key, option) in [
        ("Memory", "memory"),
        ("MemoryReservation", "memory-reservation"),
        ("MemorySwap", "memory-swap"),
    ] {
        put_number(&mut host, key, matches.bytes(option));
    }
    for (key, option) in [
        ("BlkioWeight", "blkio-weight"),
        ("CpuPeriod", "cpu-period"),
        ("CpuQuota", "cpu-quota"),
        ("CpuRealtimePeriod", "cpu-rt-period"),
        ("CpuRealtimeRuntime", "cpu-rt-runtime"),
        ("CpuShares", "cpu-shares"),
        ("PidsLimit", "pids-limit"),
    ] {
        put_number(&mut host, key, matches.int(option));
    }
    let cpus = matches.decimal("cpus").map(|cpus| (cpus * 1e9) as i64);
    put_number(&mut host, "NanoCpus", cpus);
    put_text(&mut host, "CpusetCpus", matches.text("cpuset-cpus"));
    put_text(&mut host, "CpusetMems", matches.text("cpuset-mems"));
    host
}

/// All the limits.
pub(super) fn limits(matches: &Matches) -> Result<Map<String, Value>, CliError> {
    let mut host = update_limits(matches);
    if matches.given("memory-swappiness") {
        let swappiness = matches.int("memory-swappiness");
        if let Some(value) = swappiness.filter(|value| !(-1..=100).contains(value)) {
            return Err(CliError::Said(format!(
                "invalid value: {value}. Valid memory swappiness range is 0-100"
            )));
        }
        put_number(&mut host, "MemorySwappiness", swappiness);
    }
    for (key, option) in [
        ("BlkioDeviceReadBps", "device-read-bps"),
        ("BlkioDeviceReadIOps", "device-read-iops"),
        ("BlkioDeviceWriteBps", "device-write-bps"),
        ("BlkioDeviceWriteIOps", "device-write-iops"),
    ] {
        let rates: Vec<Value> = matches
            .all(option)
            .iter()
            .map(|word| rate(option, word))
            .collect::<Result<_, _>>()?;
        if !rates.is_empty() {
            host.insert(key.into(), rates.into());
        }
    }
    let weights: Vec<Value> = matches
        .all("blkio-weight-device")
        .iter()
        .map(|word| weight(word))
        .collect::<Result<_, _>>()?;
    if !weights.is_empty() {
        host.insert("BlkioWeightDevice".into(), weights.into());
    }
    let gpus: Vec<Value> = matches
        .all("gpus")
        .iter()
        .map(|word| gpus::parse(word).map_err(CliError::Said))
        .collect::<Result<_, _>>()?;
    if !gpus.is_empty() {
        host.insert("DeviceRequests".into(), gpus.into());
    }
    let ulimits: Vec<Value> = matches
        .all("ulimit")
        .iter()
        .map(|word| ulimit::parse(word).map_err(CliError::Said))
        .collect::<Result<_, _>>()?;
    if !ulimits.is_empty() {
        host.insert("Ulimits".into(), ulimits.into());
    }
    Ok(host)
}

/// `/dev/sda:1mb`
fn rate(option: &str, word: &str) -> Result<Value, CliError> {
    let parsed = word
        .split_once(':')
        .and_then(|(path, rate)| Some((path, size::parse(rate)?)));
    match parsed {
        Some((path, rate)) if path.starts_with("/dev/") && rate >= 0 => {
            Ok(json!({ "Path": path, "Rate": rate }))
        }
        _ => Err(CliError::Said(format!(
            "invalid argument \"{word}\" for \"--{option}\" flag: use /dev/DEVICE:RATE"
        ))),
    }
}

/// `/dev/sda:200`
fn weight(word: &str) -> Result<Value, CliError> {
    let refuse = |why: String| {
        CliError::Said(format!(
            "invalid argument \"{word}\" for \"--blkio-weight-device\" flag: {why}"
        ))
    };
    let (path, weight) = word
        .split_once(':')
        .ok_or_else(|| refuse(format!("bad format: {word}")))?;
    if !path.starts_with("/dev/") {
        return Err(refuse(format!("bad format for device path: {word}")));
    }
    match weight.parse::<u16>() {
        Ok(weight) if weight == 0 || (10..=1000).contains(&weight) => {
            Ok(json!({ "Path": path, "Weight": weight }))
        }
        _ => Err(refuse(format!("invalid weight for device: {word}"))),
    }
}

/// `HOST[:CONTAINER][:rwm]`
pub(super) fn device(word: &str) -> Value {
    let parts: Vec<&str> = word.split(':').collect();
    let is_mode = |part: &str| !part.is_empty() && part.chars().all(|c| "rwm".contains(c));
    let (inside, mode) = match parts.as_slice() {
        [host] => (*host, "rwm"),
        [host, mode] if is_mode(mode) => (*host, *mode),
        [_, inside] => (*inside, "rwm"),
        [_, inside, mode, ..] => (*inside, *mode),
        [] => ("", "rwm"),
    };
    json!({ "PathOnHost": parts[0], "PathInContainer": inside, "CgroupPermissions": mode })
}
