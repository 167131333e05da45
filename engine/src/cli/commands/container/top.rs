//! `docker top`.

use serde_json::Value;

use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Matches, Order};
use crate::cli::format::table;
use crate::cli::path::Query;
use crate::cli::{Session, output};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["container top", "top"],
    about: "Display the running processes of a container",
    synopsis: "CONTAINER [ps OPTIONS]",
    flags: &[],
    operands: Operands::AtLeast(1),
    order: Order::First,
    run: |session, matches| Box::pin(run(session, matches)),
};

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let (name, options) = matches
        .operands
        .split_first()
        .expect("operands were counted");
    let options = options.join(" ");
    let query = Query::new(&["containers", name, "top"]).with_some(
        "ps_args",
        Some(options.as_str()).filter(|options| !options.is_empty()),
    );
    let answer = session.client.get(&query).await?;
    let cells = |row: &Value| -> String {
        let cells: Vec<&str> = row
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        cells.join("\t")
    };
    let mut lines = vec![cells(&answer["Titles"])];
    lines.extend(
        answer["Processes"]
            .as_array()
            .into_iter()
            .flatten()
            .map(cells),
    );
    output::print(&table::align(&lines, table::WIDE))?;
    Ok(0)
}
