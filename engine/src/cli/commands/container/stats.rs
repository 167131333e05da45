//! `docker stats`.

use hyper::Method;
use serde_json::Value;

use crate::cli::client::Payload;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::format::{Listing, Row, amount};
use crate::cli::messages::Messages;
use crate::cli::path::Query;
use crate::cli::{Session, output, tty};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["container stats", "stats"],
    about: "Display a live stream of container(s) resource usage statistics",
    synopsis: "[OPTIONS] [CONTAINER...]",
    flags: &[OPTIONS],
    operands: Operands::Any,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OPTIONS: &[Flag] = &[
    Flag::switch("all", "Show all containers, not only those that run").short('a'),
    Flag::text(
        "format",
        "\"table\", \"json\", a Go template or \"table TEMPLATE\"",
    ),
    Flag::switch("no-stream", "Show one measure and end"),
    Flag::switch("no-trunc", "Do not shorten"),
];

const LISTING: Listing = Listing {
    kind: "statsContext",
    headers: &[
        ("Container", "CONTAINER"),
        ("ID", "CONTAINER ID"),
        ("Name", "NAME"),
        ("CPUPerc", "CPU %"),
        ("MemUsage", "MEM USAGE / LIMIT"),
        ("MemPerc", "MEM %"),
        ("NetIO", "NET I/O"),
        ("BlockIO", "BLOCK I/O"),
        ("PIDs", "PIDS"),
    ],
    columns: &[
        "ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs",
    ],
    raw: "",
};

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let live = !matches.on("no-stream");
    loop {
        let names = names(session, matches).await?;
        let mut asked = Vec::new();
        for name in &names {
            asked.push(measure(session, name));
        }
        let mut rows = Vec::new();
        for (name, measured) in names
            .iter()
            .zip(futures_util::future::join_all(asked).await)
        {
            match measured {
                Ok(stats) => rows.push(row(name, &stats, matches.on("no-trunc"))),
                // A container that was named must exist; one that was listed may have gone.
                Err(error) if !matches.operands.is_empty() => return Err(error),
                Err(_) => {}
            }
        }
        let text = LISTING.render(&rows, session.format(matches, "statsFormat"))?;
        if live && tty::has_output() {
            output::print(&format!("\x1b[H\x1b[J{text}"))?;
        } else {
            output::print(&text)?;
        }
        if !live {
            return Ok(0);
        }
        // The measures themselves take a second each; an idle list must not spin.
        if names.is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
    }
}

async fn names(session: &Session, matches: &Matches) -> Result<Vec<String>, CliError> {
    if !matches.operands.is_empty() {
        return Ok(matches.operands.clone());
    }
    let query = Query::new(&["containers", "json"]).with_switch("all", matches.on("all"));
    let list = session.client.get(&query).await?;
    let ids = list
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|one| one["Id"].as_str());
    Ok(ids.map(|id| id[..id.len().min(12)].to_owned()).collect())
}

/// The second of two measures: only it knows how much CPU time passed between them.
async fn measure(session: &Session, name: &str) -> Result<Value, CliError> {
    let query = Query::new(&["containers", name, "stats"]).with("stream", "1");
    let response = session
        .client
        .send(Method::GET, &query, Payload::Empty)
        .await?;
    let mut messages = Messages::new(&query, response);
    let first = messages.next().await?.unwrap_or_default();
    if first["pids_stats"]
        .as_object()
        .is_none_or(serde_json::Map::is_empty)
    {
        return Ok(first);
    }
    Ok(messages.next().await?.unwrap_or(first))
}

fn row(asked: &str, stats: &Value, whole: bool) -> Row {
    let id = stats["id"].as_str().unwrap_or(asked);
    let id = if whole { id } else { &id[..id.len().min(12)] };
    let name = stats["name"]
        .as_str()
        .unwrap_or_default()
        .trim_start_matches('/');
    let used = memory(stats);
    let limit = number(&stats["memory_stats"]["limit"]);
    let percent = if limit > 0.0 {
        used / limit * 100.0
    } else {
        0.0
    };
    let networks = stats["networks"].as_object();
    let sum = |key: &str| -> f64 {
        networks
            .into_iter()
            .flat_map(|all| all.values())
            .map(|one| number(&one[key]))
            .sum()
    };
    let (read, written) = blocks(stats);
    Row::new([
        ("Container", asked.into()),
        ("ID", id.into()),
        ("Name", name.into()),
        ("CPUPerc", format!("{:.2}%", cpu(stats)).into()),
        (
            "MemUsage",
            format!("{} / {}", amount::binary(used), amount::binary(limit)).into(),
        ),
        ("MemPerc", format!("{percent:.2}%").into()),
        ("NetIO", pair(sum("rx_bytes"), sum("tx_bytes")).into()),
        ("BlockIO", pair(read, written).into()),
        (
            "PIDs",
            number(&stats["pids_stats"]["current"]).to_string().into(),
        ),
    ])
}

fn pair(a: f64, b: f64) -> String {
    format!("{} / {}", amount::short(a), amount::short(b))
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_default()
}

/// What is used without the page cache that can be dropped; v1 and v2 name it differently.
fn memory(stats: &Value) -> f64 {
    let memory = &stats["memory_stats"];
    let usage = number(&memory["usage"]);
    let details = &memory["stats"];
    let cache = details
        .get("total_inactive_file")
        .or(details.get("inactive_file"));
    let cache = cache.map_or(0.0, number);
    if cache < usage { usage - cache } else { usage }
}

fn cpu(stats: &Value) -> f64 {
    let (now, before) = (&stats["cpu_stats"], &stats["precpu_stats"]);
    let used =
        number(&now["cpu_usage"]["total_usage"]) - number(&before["cpu_usage"]["total_usage"]);
    let passed = number(&now["system_cpu_usage"]) - number(&before["system_cpu_usage"]);
    let cpus = match number(&now["online_cpus"]) {
        0.0 => now["cpu_usage"]["percpu_usage"]
            .as_array()
            .map_or(1, Vec::len) as f64,
        cpus => cpus,
    };
    if used > 0.0 && passed > 0.0 {
        used / passed * cpus * 100.0
    } else {
        0.0
    }
}

fn blocks(stats: &Value) -> (f64, f64) {
    let entries = stats["blkio_stats"]["io_service_bytes_recursive"].as_array();
    let sum = |wanted: &str| -> f64 {
        entries
            .into_iter()
            .flatten()
            .filter(|entry| {
                entry["op"]
                    .as_str()
                    .is_some_and(|op| op.eq_ignore_ascii_case(wanted))
            })
            .map(|entry| number(&entry["value"]))
            .sum()
    };
    (sum("read"), sum("write"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_measure_becomes_a_row() {
        let stats = json!({
            "id": "8c90b6d39b55bcd9d99a", "name": "/t1",
            "cpu_stats": {"cpu_usage": {"total_usage": 200}, "system_cpu_usage": 2000, "online_cpus": 2},
            "precpu_stats": {"cpu_usage": {"total_usage": 100}, "system_cpu_usage": 1000},
            "memory_stats": {"usage": 2048, "limit": 4096, "stats": {"total_inactive_file": 1024}},
            "networks": {"eth0": {"rx_bytes": 1320, "tx_bytes": 0}},
            "pids_stats": {"current": 1},
        });
        let row = row("t1", &stats, false);
        assert_eq!(row.fields["ID"], "8c90b6d39b55");
        assert_eq!(row.fields["CPUPerc"], "20.00%");
        assert_eq!(row.fields["MemUsage"], "1KiB / 4KiB");
        assert_eq!(row.fields["MemPerc"], "25.00%");
        assert_eq!(row.fields["NetIO"], "1.32kB / 0B");
        assert_eq!(row.fields["PIDs"], "1");
    }
}
