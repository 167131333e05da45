//! `update`: other limits for a container that is there.

use std::io::Read;
use std::path::Path;

use super::{Call, Command};
use crate::oci::runtime_spec::{self, ConfigError, LinuxResources};
use crate::oci_cli::error::CliError;
use crate::oci_cli::flags::{Flag, Given, value};
use crate::oci_cli::record::{Container, Status};
use crate::runtime::request::Resources;
use crate::runtime::{bundle, limits as decide};

pub(super) const COMMAND: Command = Command {
    name: "update",
    help: "update container resource constraints",
    arguments: "<container-id>",
    flags: FLAGS,
    run,
};

const FLAGS: &[Flag] = &[
    value(
        &["resources", "r"],
        "path to the file containing the resources to update or '-' to read from the standard input",
    ),
    value(&["blkio-weight"], "per cgroup block IO weight (10 to 1000)"),
    value(&["cpu-period"], "CPU period in microseconds"),
    value(&["cpu-quota"], "CPU quota in microseconds; -1 for none"),
    value(&["cpu-burst"], "CPU burst in microseconds"),
    value(&["cpu-share"], "CPU shares"),
    value(&["cpu-rt-period"], "real-time period in microseconds"),
    value(&["cpu-rt-runtime"], "real-time run time in microseconds"),
    value(&["cpu-idle"], "1 for the idle policy, 0 for the usual one"),
    value(&["cpuset-cpus"], "CPU(s) to use"),
    value(&["cpuset-mems"], "memory node(s) to use"),
    value(&["memory"], "memory limit in bytes; -1 for none"),
    value(
        &["memory-reservation"],
        "memory reservation or soft limit in bytes",
    ),
    value(
        &["memory-swap"],
        "memory and swap together in bytes; -1 for none",
    ),
    value(&["pids-limit"], "maximum number of pids; -1 for none"),
];

fn run(call: &Call<'_>) -> Result<i32, CliError> {
    let container = Container::load(call.global, call.only_id("update")?)?;
    if container.status() == Status::Stopped {
        return Err(CliError::NotRunning);
    }
    let group = container.group();
    let group = group.ok_or_else(|| CliError::State("the container has no cgroup".to_owned()))?;
    let limits = match call.given.last("resources") {
        Some(path) => bundle::resources(&document(path)?)?.0,
        None => from_flags(&call.given)?,
    };
    for limit in decide::limits(&limits, None) {
        group.limit(&[limit]).map_err(|source| CliError::Kernel {
            what: "cannot update the container's limits",
            source,
        })?;
    }
    Ok(0)
}

fn document(path: &str) -> Result<LinuxResources, CliError> {
    if path != "-" {
        return Ok(runtime_spec::load_document(Path::new(path))?);
    }
    let mut text = Vec::new();
    let read = std::io::stdin().read_to_end(&mut text);
    let path = "standard input".into();
    read.map_err(|source| CliError::File {
        what: "read",
        path,
        source,
    })?;
    serde_json::from_slice(&text).map_err(|source| {
        let path = "standard input".into();
        ConfigError::Parse { path, source }.into()
    })
}

fn from_flags(given: &Given) -> Result<Resources, CliError> {
    Ok(Resources {
        blkio_weight: number(given, "blkio-weight")?,
        cpu_period: number(given, "cpu-period")?,
        cpu_quota: number(given, "cpu-quota")?,
        cpu_burst: number(given, "cpu-burst")?,
        cpu_shares: number(given, "cpu-share")?,
        cpu_rt_period: number(given, "cpu-rt-period")?,
        cpu_rt_runtime: number(given, "cpu-rt-runtime")?,
        cpu_idle: number(given, "cpu-idle")?,
        cpuset_cpus: given.last("cpuset-cpus").map(str::to_owned),
        cpuset_mems: given.last("cpuset-mems").map(str::to_owned),
        memory: number(given, "memory")?,
        memory_reservation: number(given, "memory-reservation")?,
        memory_swap: number(given, "memory-swap")?,
        pids_limit: number(given, "pids-limit")?,
        ..Resources::default()
    })
}

fn number<T: std::str::FromStr>(given: &Given, name: &str) -> Result<Option<T>, CliError> {
    let Some(text) = given.last(name).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    text.parse().map(Some).map_err(|_| CliError::BadValue {
        flag: name.to_owned(),
        value: text.to_owned(),
    })
}
