//! `docker compose events`.

use serde_json::Value;

use super::{PROJECT, scope};
use crate::cli::client::Payload;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::messages::Messages;
use crate::cli::options::moment;
use crate::cli::path::Query;
use crate::cli::{Session, output};
use crate::compose::body;

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["compose events"],
    about: "Receive real time events from containers",
    synopsis: "[OPTIONS] [SERVICE...]",
    flags: &[PROJECT, OWN],
    operands: Operands::Any,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(events(session, matches)),
};

const OWN: &[Flag] = &[
    Flag::switch("json", "Output events as a stream of json objects"),
    Flag::text("since", "Show all events created since timestamp"),
    Flag::text("until", "Stream events until this timestamp"),
];

async fn events(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let (name, _) = scope::name_or_project(matches)?;
    let filters = serde_json::json!({
        "type": ["container"],
        "label": [format!("{}={name}", body::PROJECT)],
    });
    let since = matches.text("since").map(moment::parse).transpose()?;
    let until = matches.text("until").map(moment::parse).transpose()?;
    let query = Query::new(&["events"])
        .with("filters", &filters.to_string())
        .with_some("since", since.as_deref())
        .with_some("until", until.as_deref());
    let response = session
        .client
        .send(hyper::Method::GET, &query, Payload::Empty)
        .await?;
    let mut messages = Messages::new(&query, response);
    while let Some(event) = messages.next().await? {
        let attributes = &event["Actor"]["Attributes"];
        let service = attributes[body::SERVICE].as_str().unwrap_or_default();
        if !matches.operands.is_empty() && !matches.operands.iter().any(|one| one == service) {
            continue;
        }
        output::line(&match matches.on("json") {
            true => document(&event, service).to_string(),
            false => sentence(&event),
        })?;
    }
    Ok(0)
}

fn moment_of(event: &Value) -> String {
    let nanos = event["timeNano"].as_i64().unwrap_or_default();
    jiff::Timestamp::from_nanosecond(nanos.into())
        .map_or_else(|_| nanos.to_string(), |moment| format!("{moment:.6}"))
}

fn document(event: &Value, service: &str) -> Value {
    let mut attributes = event["Actor"]["Attributes"].clone();
    if let Some(attributes) = attributes.as_object_mut() {
        attributes.retain(|key, _| !key.starts_with("com.docker.compose."));
    }
    serde_json::json!({
        "action": event["Action"],
        "attributes": attributes,
        "id": event["Actor"]["ID"],
        "service": service,
        "time": moment_of(event),
        "type": "container",
    })
}

/// `2026-01-31 12:00:00.000000 container start ID (image=…, name=…)`
fn sentence(event: &Value) -> String {
    let attributes = event["Actor"]["Attributes"].as_object();
    let mut pairs: Vec<String> = attributes
        .into_iter()
        .flatten()
        .filter(|(key, _)| !key.starts_with("com.docker.compose."))
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    pairs.sort();
    format!(
        "{} container {} {} ({})",
        moment_of(event).trim_end_matches('Z').replace('T', " "),
        event["Action"].as_str().unwrap_or_default(),
        event["Actor"]["ID"].as_str().unwrap_or_default(),
        pairs.join(", ")
    )
}
