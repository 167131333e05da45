//! `docker create`, and the creation that `docker run` begins with.

use std::io::Write;

use serde_json::{Value, json};

use super::create_body::{Presence, body};
use super::create_options::OPTIONS;
use crate::cli::client::Payload;
use crate::cli::commands::image::pull::{Loudness, pull};
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Matches, Order};
use crate::cli::path::Query;
use crate::cli::{Session, help, options, output, tty};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["container create", "create"],
    about: "Create a new container",
    synopsis: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
    flags: &[OPTIONS],
    operands: Operands::AtLeast(1),
    order: Order::First,
    run: |session, matches| Box::pin(run(session, matches)),
};

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let created = create(session, matches, Presence::Attached).await;
    output::line(&created?.id)?;
    Ok(0)
}

/// A container that exists.
#[derive(Debug)]
pub(super) struct Created {
    /// Its id.
    pub(super) id: String,
    /// What was asked for.
    pub(super) body: Value,
}

/// Creates the container, after pulling its image when that is missing or asked for.
pub(super) async fn create(
    session: &Session,
    matches: &Matches,
    presence: Presence,
) -> Result<Created, CliError> {
    let image = &matches.operands[0];
    let policy = matches.text("pull").unwrap_or("missing");
    if !matches!(policy, "always" | "missing" | "never") {
        return Err(CliError::Said(format!(
            "invalid pull option: '{policy}': must be one of \"always\", \"missing\" or \"never\""
        )));
    }
    let mut body = body(matches, presence)?;
    add_proxies(session, &mut body);
    // The program then finds its terminal as large as ours from the start.
    if let Some(size) = tty::size().filter(|_| matches.on("tty")) {
        body["HostConfig"]["ConsoleSize"] = json!([size.rows, size.cols]);
    }
    let cidfile = matches.text("cidfile").map(IdFile::open).transpose()?;
    let loudness = if matches.on("quiet") {
        Loudness::Quiet
    } else {
        Loudness::Errors
    };
    let fetch = async || pull(session, image, matches.text("platform"), loudness).await;
    if policy == "always" {
        fetch().await?;
    }
    let query = Query::new(&["containers", "create"])
        .with_some("name", matches.text("name"))
        .with_some("platform", matches.text("platform"));
    let answer = match session
        .client
        .post(&query, Payload::Json(body.clone()))
        .await
    {
        Err(error) if policy == "missing" && is_missing_image(&error) => {
            let full = options::reference::with_tag(image);
            output::complain(&format!("Unable to find image '{full}' locally"));
            fetch().await?;
            session
                .client
                .post(&query, Payload::Json(body.clone()))
                .await?
        }
        answer => answer?,
    };
    if matches.given("kernel-memory") {
        // The kernel itself no longer has this limit; the option is still understood.
        output::complain(
            "WARNING: Specifying a kernel memory limit is deprecated and will be removed in a \
             future release.",
        );
    }
    for warning in answer["Warnings"].as_array().into_iter().flatten() {
        output::complain(&format!(
            "WARNING: {}",
            warning.as_str().unwrap_or_default()
        ));
    }
    let id = answer["Id"].as_str().unwrap_or_default().to_owned();
    if let Some(file) = cidfile {
        file.write(&id)?;
    }
    Ok(Created { id, body })
}

/// The proxies of the settings, where the call itself names none.
fn add_proxies(session: &Session, body: &mut Value) {
    let Some(variables) = body["Env"].as_array_mut() else {
        return;
    };
    for (name, value) in session.config.proxies(session.client.host()) {
        let is_it = |known: &Value| {
            let known = known.as_str().unwrap_or_default();
            known.split('=').next() == Some(name.as_str())
        };
        if !variables.iter().any(is_it) {
            variables.push(format!("{name}={value}").into());
        }
    }
}

fn is_missing_image(error: &CliError) -> bool {
    let text = error.to_string();
    error.is_not_found() && (text.contains("No such image") || text.contains("no such image"))
}

/// What `run` and `create` say when they fail, and the exit code that tells why.
pub(super) fn explain(error: CliError, command: &str) -> CliError {
    if error.is_closed_pipe() {
        return error;
    }
    let message = error.to_string();
    let code = match message.as_str() {
        text if text.contains("executable file not found")
            || text.contains("no such file or directory")
            || text.contains("system cannot find the file specified") =>
        {
            127
        }
        text if text.contains("permission denied") || text.contains("is a directory") => 126,
        _ => 125,
    };
    let code = if matches!(error, CliError::Daemon { .. }) {
        code
    } else {
        125
    };
    CliError::Hinted {
        message: format!("docker: {message}"),
        hint: help::more(command),
        code,
    }
}

/// `--cidfile`: refused before anything is created if it exists, removed if nothing is.
struct IdFile {
    path: String,
    file: std::fs::File,
    written: Written,
}

/// Whether the file says anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    Yes,
    NotYet,
}

impl IdFile {
    fn open(path: &str) -> Result<Self, CliError> {
        match std::fs::File::create_new(path) {
            Ok(file) => Ok(Self {
                path: path.to_owned(),
                file,
                written: Written::NotYet,
            }),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(CliError::Said(format!(
                    "container ID file found, make sure the other container isn't running or \
                     delete {path}"
                )))
            }
            Err(source) => Err(CliError::File {
                what: "failed to create the container ID file:",
                path: path.to_owned(),
                source,
            }),
        }
    }

    fn write(mut self, id: &str) -> Result<(), CliError> {
        self.written = Written::Yes;
        self.file
            .write_all(id.as_bytes())
            .map_err(|source| CliError::File {
                what: "failed to write the container ID to",
                path: self.path.clone(),
                source,
            })
    }
}

impl Drop for IdFile {
    fn drop(&mut self) {
        if self.written == Written::NotYet {
            // An empty file would only stop the next attempt.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
