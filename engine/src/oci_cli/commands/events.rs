//! `events`: counters of a container, once or again and again, and its deaths by lack of memory.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use kernel::poll::{self, Interest};
use serde_json::{Value, json};

use super::{Call, Command};
use crate::oci_cli::error::CliError;
use crate::oci_cli::flags::{switch, value};
use crate::oci_cli::record::{Container, Status};
use crate::oci_cli::text::print;
use crate::runtime::cgroups::{self, Usage};

pub(super) const COMMAND: Command = Command {
    name: "events",
    help: "display container events such as OOM notifications, cpu, memory, and IO usage statistics",
    arguments: "<container-id>",
    flags: &[
        value(
            &["interval"],
            "set the stats collection interval (default: 5s)",
        ),
        switch(&["stats"], "display the container's stats then exit"),
    ],
    run,
};

fn run(call: &Call<'_>) -> Result<i32, CliError> {
    let container = Container::load(call.global, call.only_id("events")?)?;
    if container.status() == Status::Stopped {
        return Err(CliError::State(format!(
            "container with id {} is not running",
            container.id
        )));
    }
    if call.given.is_on("stats") {
        print_event(&container, "stats", &stats(&usage(&container)?));
        return Ok(0);
    }
    let interval = interval(call.given.last("interval").unwrap_or("5s"))?;
    let init = container.init()?;
    let mut kills = usage(&container)?.oom_kills;
    let mut next = Instant::now() + interval;
    loop {
        // Deaths are counted, not announced, on version 2; often enough is soon enough.
        let pause = next.saturating_duration_since(Instant::now());
        let pause = pause.min(Duration::from_secs(1));
        let ready = poll::wait(&[(init.as_fd(), Interest::Read)], Some(pause));
        let ready = ready.map_err(|source| CliError::Kernel {
            what: "cannot wait for the container",
            source,
        })?;
        let now = usage(&container)?;
        for _ in kills..now.oom_kills {
            print_event(&container, "oom", &Value::Null);
        }
        kills = now.oom_kills;
        if ready[0].readable {
            return Ok(0);
        }
        if Instant::now() >= next {
            print_event(&container, "stats", &stats(&now));
            next += interval;
        }
    }
}

fn usage(container: &Container) -> Result<Usage, CliError> {
    let none = || CliError::State("the container has no cgroup".to_owned());
    Ok(cgroups::usage_of(&container.group().ok_or_else(none)?))
}

fn print_event(container: &Container, kind: &str, data: &Value) {
    let mut event = json!({"type": kind, "id": container.id});
    if !data.is_null() {
        event["data"] = data.clone();
    }
    print(&format!("{event}\n"));
}

/// The counters in runc's words.
fn stats(usage: &Usage) -> Value {
    let limit = usage.memory_limit.unwrap_or(u64::MAX);
    let stat = |key: &str| usage.memory_stat.get(key).copied();
    let cache = stat("cache").or_else(|| stat("file")).unwrap_or(0);
    json!({
        "cpu": {
            "usage": {
                "total": usage.cpu,
                "kernel": usage.cpu_system,
                "user": usage.cpu_user,
            },
            "throttling": {},
        },
        "cpuset": {},
        "memory": {
            "cache": cache,
            "usage": {"limit": limit, "usage": usage.memory_total, "failcnt": 0},
            "swap": {"limit": 0, "failcnt": 0},
            "kernel": {"limit": 0, "failcnt": 0},
            "kernelTCP": {"limit": 0, "failcnt": 0},
            "raw": usage.memory_stat,
        },
        "pids": {"current": usage.pids, "limit": usage.pids_limit.unwrap_or(0)},
        "blkio": {
            "ioServiceBytesRecursive": [
                {"op": "Read", "value": usage.block.0},
                {"op": "Write", "value": usage.block.1},
            ],
        },
        "hugetlb": {},
        "intel_rdt": {},
        "network_interfaces": null,
    })
}

/// Go's way to write a duration, as far as people use it here: `500ms`, `5s`, `1m`.
fn interval(text: &str) -> Result<Duration, CliError> {
    let bad = || CliError::BadValue {
        flag: "interval".to_owned(),
        value: text.to_owned(),
    };
    let (digits, unit) = text.split_at(
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len()),
    );
    let number: u64 = digits.parse().map_err(|_| bad())?;
    let interval = match unit {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.saturating_mul(60)),
        _ => return Err(bad()),
    };
    if interval.is_zero() {
        return Err(bad());
    }
    Ok(interval)
}
