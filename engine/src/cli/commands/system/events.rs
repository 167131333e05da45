//! `docker events`.

use hyper::Method;
use jiff::Timestamp;
use serde_json::Value;

use crate::cli::client::Payload;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::format::document;
use crate::cli::messages::Messages;
use crate::cli::options::{filters, moment};
use crate::cli::path::Query;
use crate::cli::{Session, output};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["system events", "events"],
    about: "Get real time events from the server",
    synopsis: "[OPTIONS]",
    flags: &[OPTIONS],
    operands: Operands::None,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OPTIONS: &[Flag] = &[
    Flag::list("filter", "Show only what fits a condition")
        .short('f')
        .word("filter"),
    Flag::text("format", "\"json\" or a Go template"),
    Flag::text("since", "Show what happened since this moment"),
    Flag::text("until", "Show what happens until this moment"),
];

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let since = matches.text("since").map(moment::parse).transpose()?;
    let until = matches.text("until").map(moment::parse).transpose()?;
    let query = Query::new(&["events"])
        .with_some("since", since.as_deref())
        .with_some("until", until.as_deref());
    let query = filters::add(query, matches.all("filter"))?;
    let response = session
        .client
        .send(Method::GET, &query, Payload::Empty)
        .await?;
    let mut events = Messages::new(&query, response);
    while let Some(event) = events.next().await? {
        match matches.text("format") {
            Some(format) => document::print_one(&event, format)?,
            None => output::line(&line(&event))?,
        }
    }
    Ok(0)
}

/// `2026-11-21T02:20:08.880605108Z container create 8c90b6d39b55 (image=busybox, name=t1)`
fn line(event: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let nanos = event["timeNano"].as_i64().unwrap_or_default();
    let when = Timestamp::from_nanosecond(nanos.into())
        .map(|moment| format!("{moment:.9}"))
        .unwrap_or_default();
    let mut attributes: Vec<String> = event["Actor"]["Attributes"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", text(value)))
        .collect();
    attributes.sort();
    let mut line = format!(
        "{when} {} {} {}",
        text(&event["Type"]),
        text(&event["Action"]),
        text(&event["Actor"]["ID"])
    );
    if !attributes.is_empty() {
        line.push_str(&format!(" ({})", attributes.join(", ")));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::line;
    use serde_json::json;

    #[test]
    fn an_event_is_one_line() {
        let event = json!({
            "Type": "container", "Action": "die", "timeNano": 1_795_227_608_880_605_100_i64,
            "Actor": {"ID": "8c", "Attributes": {"name": "t1", "exitCode": "3"}},
        });
        assert_eq!(
            line(&event),
            "2026-11-21T02:20:08.880605100Z container die 8c (exitCode=3, name=t1)"
        );
    }
}
