//! Answers that are files: `export`, `save` and `cp` from a container.

use std::fs::File;
use std::io::{Write, stdout};

use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Incoming;

use super::error::CliError;
use super::path::Query;
use super::tty;

/// Where an answer is written.
#[derive(Debug)]
pub(crate) enum Destination {
    /// A file of this name, made anew.
    File(String),
    /// Stdout, which must not be a terminal.
    Stdout,
}

impl Destination {
    /// `-o FILE`, or stdout when that is not a terminal.
    pub(crate) fn choose(file: Option<&str>) -> Result<Self, CliError> {
        match file {
            Some(file) => Ok(Self::File(file.to_owned())),
            None if tty::has_output() => Err(CliError::Said(
                "cowardly refusing to save to a terminal. Use the -o flag or redirect".to_owned(),
            )),
            None => Ok(Self::Stdout),
        }
    }
}

/// Writes a whole answer.
pub(crate) async fn write(
    query: &Query,
    response: Response<Incoming>,
    to: Destination,
) -> Result<(), CliError> {
    match to {
        Destination::Stdout => {
            copy(query, response, |bytes| {
                stdout().write_all(bytes).map_err(CliError::Output)
            })
            .await
        }
        Destination::File(path) => {
            let failed = |source| CliError::File {
                what: "write",
                path: path.clone(),
                source,
            };
            let mut file = File::create(&path).map_err(failed)?;
            copy(query, response, |bytes| {
                file.write_all(bytes).map_err(failed)
            })
            .await
        }
    }
}

/// Gives each piece of an answer to `write`.
pub(crate) async fn copy(
    query: &Query,
    response: Response<Incoming>,
    mut write: impl FnMut(&[u8]) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|source| CliError::Broken {
            doing: query.as_str().to_owned(),
            source,
        })?;
        if let Some(bytes) = frame.data_ref() {
            write(bytes)?;
        }
    }
    Ok(())
}
