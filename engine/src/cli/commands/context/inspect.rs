//! `docker context inspect`.

use serde_json::{Map, Value, json};

use super::create::copy;
use crate::cli::Session;
use crate::cli::commands::container::inspect::{FORMAT, inspect_documents_of};
use crate::cli::commands::{Command, Operands};
use crate::cli::context::DEFAULT;
use crate::cli::context::store::TLS_FILES;
use crate::cli::error::CliError;
use crate::cli::flags::{Matches, Order};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["context inspect"],
    about: "Display detailed information on one or more contexts",
    synopsis: "[OPTIONS] [CONTEXT] [CONTEXT...]",
    flags: &[FORMAT],
    operands: Operands::Any,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let current = [session.context.clone()];
    let names = match matches.operands.as_slice() {
        [] => current.as_slice(),
        names => names,
    };
    inspect_documents_of(names, matches, async |name| document(session, name)).await
}

fn document(session: &Session, name: &str) -> Result<Value, CliError> {
    let store = session.contexts();
    let (context, material) = copy(session, &store, name)?;
    let mut files = Map::new();
    let present: Vec<&str> = TLS_FILES
        .into_iter()
        .zip(material.all())
        .filter_map(|(file, bytes)| bytes.map(|_| file))
        .collect();
    if !present.is_empty() {
        files.insert("docker".into(), json!(present));
    }
    let storage = if name == DEFAULT {
        json!({ "MetadataPath": "<IN MEMORY>", "TLSPath": "<IN MEMORY>" })
    } else {
        json!({
            "MetadataPath": store.metadata_path(name).display().to_string(),
            "TLSPath": store.tls_path(name).display().to_string(),
        })
    };
    let mut document = context.document();
    document["TLSMaterial"] = files.into();
    document["Storage"] = storage;
    Ok(document)
}
