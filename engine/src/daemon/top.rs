//! `top` and `stats`: the processes of a container and what they use.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::types::ContainerTop;
use crate::runtime::cgroups;

use super::container::not_running;
use super::{Daemon, DaemonError};

impl Daemon {
    /// The processes of a container, in the columns of `ps -ef`.
    pub async fn top(
        self: &Arc<Self>,
        text: &str,
        arguments: Option<&str>,
    ) -> Result<ContainerTop, DaemonError> {
        if let Some(arguments) = arguments.filter(|arguments| *arguments != "-ef") {
            return Err(DaemonError::Unsupported(format!(
                "ps {arguments}: only -ef"
            )));
        }
        let container = self.container(text)?;
        if container.lock().record.state.process().is_none() {
            return Err(not_running(&container.id));
        }
        self.block(move |daemon| {
            let pids = cgroups::processes(&daemon.stage, &container.id)?;
            // A process may end between the list and the look at it.
            let mut processes: Vec<_> = pids.into_iter().filter_map(row).collect();
            processes.sort();
            Ok(ContainerTop {
                titles: ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
                    .map(str::to_owned)
                    .to_vec(),
                processes: processes.into_iter().map(|(_, row)| row).collect(),
            })
        })
        .await
    }

    /// One reading of the counters of a container, in the form of Docker's `stats`.
    pub async fn stats(self: &Arc<Self>, text: &str) -> Result<Value, DaemonError> {
        let container = self.container(text)?;
        let record = container.record();
        self.block(move |daemon| {
            let read = Timestamp::now();
            let head = json!({ "read": read.to_string(), "id": record.id, "name": format!("/{}", record.name) });
            let Some(process) = record.state.process() else { return Ok(head) };
            let usage = cgroups::usage(&daemon.stage, &record.id)?;
            let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
            let block = |op: &str, value: u64| json!({ "major": 0, "minor": 0, "op": op, "value": value });
            let cpu = json!({
                "cpu_usage": {
                    "total_usage": usage.cpu,
                    "usage_in_kernelmode": usage.cpu_system,
                    "usage_in_usermode": usage.cpu_user,
                },
                "system_cpu_usage": system_cpu(),
                "online_cpus": cpus,
                "throttling_data": { "periods": 0, "throttled_periods": 0, "throttled_time": 0 },
            });
            let limit = usage.memory_limit.unwrap_or_else(memory_of_host);
            let mut all = head;
            let more = json!({
                "preread": "0001-01-01T00:00:00Z",
                "pids_stats": { "current": usage.pids, "limit": usage.pids_limit },
                "blkio_stats": {
                    "io_service_bytes_recursive": [block("read", usage.block.0), block("write", usage.block.1)],
                },
                "num_procs": 0,
                "storage_stats": {},
                "cpu_stats": cpu,
                "precpu_stats": { "cpu_usage": { "total_usage": 0 }, "throttling_data": {} },
                "memory_stats": {
                    "usage": usage.memory_total,
                    "limit": limit,
                    "stats": usage.memory_stat,
                },
                "networks": networks(process.engine_pid),
            });
            if let (Value::Object(all), Value::Object(more)) = (&mut all, more) {
                all.extend(more);
            }
            Ok(all)
        })
        .await
    }
}

/// One process as `ps -ef` shows it, with its pid to sort by.
fn row(pid: i32) -> Option<(i32, Vec<String>)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold anything, so fields are counted after the last one.
    let (head, tail) = stat.rsplit_once(')')?;
    let name = head.split_once('(')?.1;
    let fields: Vec<&str> = tail.split_whitespace().collect();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = |key: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(key))
            .unwrap_or_default()
    };
    let uid = line("Uid:").split_whitespace().nth(1).unwrap_or("?");
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    let seconds = ticks / 100;
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let command = String::from_utf8_lossy(&command)
        .trim_end_matches('\0')
        .replace('\0', " ");
    let columns = [
        if uid == "0" { "root" } else { uid }.to_owned(),
        machine_pid(pid),
        machine_pid(fields.get(1)?.parse().ok()?),
        "0".to_owned(),
        started(fields.get(19)?.parse().ok()?),
        if fields.get(4)? == &"0" {
            "?".to_owned()
        } else {
            "pts/0".to_owned()
        },
        format!(
            "{:02}:{:02}:{:02}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        ),
        if command.is_empty() {
            format!("[{name}]")
        } else {
            command
        },
    ];
    Some((pid, columns.to_vec()))
}

/// A process as its machine numbers it: the last number but one is that of the container itself.
fn machine_pid(pid: i32) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("NSpid:"))
        .unwrap_or_default();
    let seen: Vec<&str> = line.split_whitespace().collect();
    match seen[..] {
        [.., machine, _container] => machine.to_owned(),
        [own] => own.to_owned(),
        [] => "0".to_owned(),
    }
}

/// The hour and minute at which a process began.
fn started(ticks: i64) -> String {
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
    let uptime = uptime
        .split(['.', ' '])
        .next()
        .and_then(|text| text.parse::<i64>().ok())
        .unwrap_or(0);
    let time = Timestamp::from_second(Timestamp::now().as_second() - uptime + ticks / 100);
    time.map(|time| time.strftime("%H:%M").to_string())
        .unwrap_or_default()
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
