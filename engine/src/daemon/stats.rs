//! `stats`: what a container uses, in the form that Docker's clients compute percentages from.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::runtime::cgroups::{self, Usage};

use super::{Daemon, DaemonError};

/// What Docker writes for a time that has not come.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// The counters of block devices that version 1 has beside bytes.
const OTHER_BLOCK_COUNTERS: [&str; 7] = [
    "io_serviced_recursive",
    "io_queue_recursive",
    "io_service_time_recursive",
    "io_wait_time_recursive",
    "io_merged_recursive",
    "io_time_recursive",
    "sectors_recursive",
];

impl Daemon {
    /// One reading of the counters of a container; one that does not run has zeros.
    pub async fn stats(self: &Arc<Self>, text: &str) -> Result<Value, DaemonError> {
        let container = self.container(text)?;
        let record = container.record();
        self.block(move |daemon| {
            let mut all = json!({ "id": record.id, "name": format!("/{}", record.name) });
            let more = match record.state.process() {
                Some(process) => {
                    let usage = cgroups::usage(&daemon.group_path(&record))?;
                    reading(&usage, &networks(process.engine_pid))
                }
                None => idle(),
            };
            if let (Value::Object(all), Value::Object(more)) = (&mut all, more) {
                all.extend(more);
            }
            Ok(all)
        })
        .await
    }
}

/// What is told of a container that does not run.
fn idle() -> Value {
    let cpu = json!({
        "cpu_usage": { "total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0 },
        "throttling_data": { "periods": 0, "throttled_periods": 0, "throttled_time": 0 },
    });
    json!({
        "read": NEVER, "preread": NEVER, "pids_stats": {}, "num_procs": 0, "storage_stats": {},
        "blkio_stats": blocks(None), "cpu_stats": cpu, "precpu_stats": cpu, "memory_stats": {},
    })
}

fn reading(usage: &Usage, networks: &BTreeMap<String, Value>) -> Value {
    let online = usage
        .cpu_each
        .len()
        .max(std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    let mut times = json!({
        "total_usage": usage.cpu,
        "usage_in_kernelmode": usage.cpu_system,
        "usage_in_usermode": usage.cpu_user,
    });
    if !usage.cpu_each.is_empty() {
        times["percpu_usage"] = json!(usage.cpu_each);
    }
    let [periods, throttled_periods, throttled_time] = usage.throttling;
    let cpu = json!({
        "cpu_usage": times,
        "system_cpu_usage": system_cpu(),
        "online_cpus": online,
        "throttling_data": {
            "periods": periods, "throttled_periods": throttled_periods, "throttled_time": throttled_time,
        },
    });
    let mut memory = json!({
        "usage": usage.memory_total,
        "limit": usage.memory_limit.unwrap_or_else(memory_of_host),
        "stats": usage.memory_stat,
    });
    if let Some(most) = usage.memory_most {
        memory["max_usage"] = most.into();
    }
    let mut pids = json!({ "current": usage.pids });
    if let Some(limit) = usage.pids_limit {
        pids["limit"] = limit.into();
    }
    let nothing_before = json!({
        "cpu_usage": { "total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0 },
        "throttling_data": { "periods": 0, "throttled_periods": 0, "throttled_time": 0 },
    });
    let mut all = json!({
        "read": Timestamp::now().to_string(),
        "preread": NEVER,
        "pids_stats": pids,
        "blkio_stats": blocks(Some(usage.block)),
        "num_procs": 0,
        "storage_stats": {},
        "cpu_stats": cpu,
        "precpu_stats": nothing_before,
        "memory_stats": memory,
    });
    if !networks.is_empty() {
        all["networks"] = json!(networks);
    }
    all
}

/// Bytes read and written; the counters of one device are not told apart.
fn blocks(bytes: Option<(u64, u64)>) -> Value {
    let entry = |op: &str, value: u64| json!({ "major": 0, "minor": 0, "op": op, "value": value });
    let mut all = json!({
        "io_service_bytes_recursive":
            bytes.map(|(read, written)| vec![entry("read", read), entry("write", written)]),
    });
    for name in OTHER_BLOCK_COUNTERS {
        all[name] = match bytes {
            Some(_) => json!([]),
            None => Value::Null,
        };
    }
    all
}

/// Nanoseconds of all processors since the start of the host.
fn system_cpu() -> u64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    let ticks: u64 = line
        .split_whitespace()
        .skip(1)
        .take(8)
        .filter_map(|word| word.parse::<u64>().ok())
        .sum();
    ticks * 10_000_000
}

fn memory_of_host() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok())
        .unwrap_or(0)
        * 1024
}

/// Bytes and packets of each interface of a container but its loopback.
fn networks(engine_pid: u32) -> BTreeMap<String, Value> {
    let text = std::fs::read_to_string(format!("/proc/{engine_pid}/net/dev")).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines
        .filter(|(name, _)| name.trim() != "lo")
        .map(|(name, numbers)| {
            let numbers: Vec<u64> = numbers.split_whitespace().filter_map(|word| word.parse().ok()).collect();
            let number = |index: usize| numbers.get(index).copied().unwrap_or(0);
            let value = json!({
                "rx_bytes": number(0), "rx_packets": number(1), "rx_errors": number(2), "rx_dropped": number(3),
                "tx_bytes": number(8), "tx_packets": number(9), "tx_errors": number(10), "tx_dropped": number(11),
            });
            (name.trim().to_owned(), value)
        })
        .collect()
}
