//! What `docker build` asks of the daemon, beside the context.

use serde_json::{Map, Value, json};

use crate::cli::error::CliError;
use crate::cli::flags::Matches;
use crate::cli::options::{size, ulimit};
use crate::cli::path::Query;

/// The parameters of `POST /build`.
pub(crate) fn of(matches: &Matches, dockerfile: &str) -> Result<Query, CliError> {
    let document = |value: Value| value.to_string();
    let mut query = Query::new(&["build"])
        .with("dockerfile", dockerfile)
        .with("rm", if matches.switched_off("rm") { "0" } else { "1" })
        .with_switch("forcerm", matches.on("force-rm"))
        .with_switch("nocache", matches.on("no-cache"))
        .with_switch("pull", matches.on("pull"))
        // Also for a quiet client, which shows none of them: only events tell what an exported cache is made of.
        .with("progress", "events")
        .with_some("target", matches.text("target"))
        .with_some("platform", matches.text("platform"))
        .with_some(
            "networkmode",
            matches.text("network").filter(|mode| *mode != "default"),
        )
        .with_some("cgroupparent", matches.text("cgroup-parent"))
        .with_some("isolation", matches.text("isolation"))
        .with_some("cpusetcpus", matches.text("cpuset-cpus"))
        .with_some("cpusetmems", matches.text("cpuset-mems"))
        .with_some("cpuperiod", matches.text("cpu-period"))
        .with_some("cpuquota", matches.text("cpu-quota"))
        .with_some("cpushares", matches.text("cpu-shares"));
    for (flag, key) in [
        ("memory", "memory"),
        ("memory-swap", "memswap"),
        ("shm-size", "shmsize"),
    ] {
        if let Some(bytes) = matches.text(flag).and_then(size::parse) {
            query = query.with(key, &bytes.to_string());
        }
    }
    for name in matches.all("tag") {
        query = query.with("t", name);
    }
    let mut arguments = pairs(matches.all("build-arg"), Missing::Environment);
    // Whoever fixes the date for the client's own work means the image too.
    if let Ok(epoch) = std::env::var("SOURCE_DATE_EPOCH") {
        arguments
            .entry("SOURCE_DATE_EPOCH")
            .or_insert(Value::from(epoch));
    }
    if !arguments.is_empty() {
        query = query.with("buildargs", &document(Value::Object(arguments)));
    }
    let labels = pairs(matches.all("label"), Missing::Empty);
    if !labels.is_empty() {
        query = query.with("labels", &document(Value::Object(labels)));
    }
    if !matches.all("add-host").is_empty() {
        query = query.with("extrahosts", &document(json!(matches.all("add-host"))));
    }
    if !matches.all("security-opt").is_empty() {
        query = query.with("securityopt", &document(json!(matches.all("security-opt"))));
    }
    let mut limits = Vec::new();
    for text in matches.all("ulimit") {
        limits.push(ulimit::parse(text).map_err(CliError::Said)?);
    }
    if !limits.is_empty() {
        query = query.with("ulimits", &document(Value::Array(limits)));
    }
    Ok(query)
}

/// What a name without value means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    /// The client's own variable of that name.
    Environment,
    /// An empty value.
    Empty,
}

fn pairs(words: &[String], missing: Missing) -> Map<String, Value> {
    let mut pairs = Map::new();
    for word in words {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Value::from(value)),
            None if missing == Missing::Empty => (word.as_str(), Value::from("")),
            None => (
                word.as_str(),
                std::env::var(word).map_or(Value::Null, Value::from),
            ),
        };
        pairs.insert(name.to_owned(), value);
    }
    pairs
}
