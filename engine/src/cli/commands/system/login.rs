//! `docker login`.

use std::io::{Read, Write, stderr, stdin};

use serde_json::json;

use crate::cli::client::Payload;
use crate::cli::commands::{Command, Operands};
use crate::cli::credentials::{Credentials, Kept, Keyring, server_named};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::path::Query;
use crate::cli::{Session, output, tty};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["login"],
    about: "Authenticate to a registry",
    synopsis: "[OPTIONS] [SERVER]",
    flags: &[OPTIONS],
    operands: Operands::AtMost(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OPTIONS: &[Flag] = &[
    Flag::text("password", "Password or Personal Access Token (PAT)").short('p'),
    Flag::switch(
        "password-stdin",
        "Take the Password or Personal Access Token (PAT) from stdin",
    ),
    Flag::text("username", "Username").short('u'),
];

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let server = server_named(matches.operands.first().map_or("", String::as_str));
    let (username, mut password) = (matches.text("username"), None);
    if matches.text("username") == Some("") {
        return Err(said("username is empty"));
    }
    if let Some(text) = matches.text("password") {
        output::complain(
            "WARNING! Using --password via the CLI is insecure. Use --password-stdin.",
        );
        if matches.on("password-stdin") {
            return Err(said(
                "conflicting options: cannot specify both --password and --password-stdin",
            ));
        }
        password = Some(text.to_owned());
    }
    if matches.on("password-stdin") {
        if username.is_none() {
            return Err(said(
                "the --password-stdin option requires --username to be set",
            ));
        }
        let mut text = String::new();
        stdin()
            .read_to_string(&mut text)
            .map_err(|source| CliError::Stream {
                doing: "read the password",
                source,
            })?;
        password = Some(text.trim_end_matches(['\n', '\r']).to_owned());
    }
    let mut keyring = Keyring::load(session.config.directory())?;
    if username.is_none()
        && password.is_none()
        && let Some(known) = keyring.get(&server)?
        && log_in(session, &mut keyring, &server, known, Known::Yes)
            .await
            .is_ok()
    {
        return Ok(0);
    }
    let credentials = Credentials {
        username: match username {
            Some(name) => name.to_owned(),
            None => ask("Username: ")?,
        },
        password: match password {
            Some(password) => password,
            None => ask_secretly("Password: ")?,
        },
        ..Credentials::default()
    };
    log_in(session, &mut keyring, &server, credentials, Known::No).await?;
    Ok(0)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Yes,
    No,
}

async fn log_in(
    session: &Session,
    keyring: &mut Keyring,
    server: &str,
    mut credentials: Credentials,
    known: Known,
) -> Result<(), CliError> {
    if known == Known::Yes {
        output::complain(&format!(
            "Authenticating with existing credentials... [Username: {}]\n\n Info -> To login with a different account, \
             run 'docker logout' followed by 'docker login'\n\n",
            credentials.username
        ));
    }
    let request = json!({
        "username": credentials.username,
        "password": credentials.password,
        "serveraddress": server,
        "identitytoken": credentials.identity_token,
    });
    let answer = session
        .client
        .post(&Query::new(&["auth"]), Payload::Json(request))
        .await?;
    if let Some(token) = answer["IdentityToken"]
        .as_str()
        .filter(|token| !token.is_empty())
    {
        credentials.password.clear();
        token.clone_into(&mut credentials.identity_token);
    }
    if keyring.put(server, &credentials)? == Kept::InFile && known == Known::No {
        output::complain(&format!(
            "\nWARNING! Your credentials are stored unencrypted in '{}'.\nConfigure a credential helper to remove this \
             warning. See\nhttps://docs.docker.com/go/credential-store/\n",
            keyring.path().display()
        ));
    }
    output::line(answer["Status"].as_str().unwrap_or("Login Succeeded"))
}

fn ask(prompt: &str) -> Result<String, CliError> {
    interactive()?;
    write_prompt(prompt)?;
    let mut line = String::new();
    stdin()
        .read_line(&mut line)
        .map_err(|source| CliError::Stream {
            doing: "read the terminal",
            source,
        })?;
    match line.trim() {
        "" => Err(said("username is required")),
        text => Ok(text.to_owned()),
    }
}

/// Reads a line that the terminal does not show.
fn ask_secretly(prompt: &str) -> Result<String, CliError> {
    interactive()?;
    write_prompt(prompt)?;
    let raw = tty::raw()?;
    let mut line = Vec::new();
    let mut key = [0];
    loop {
        let count = stdin().read(&mut key).map_err(|source| CliError::Stream {
            doing: "read the terminal",
            source,
        })?;
        match key[0] {
            _ if count == 0 => break,
            b'\r' | b'\n' => break,
            0x7f | 0x08 => {
                line.pop();
            }
            0x03 | 0x04 => {
                drop(raw);
                return Err(said("\nuser interrupted the login"));
            }
            byte => line.push(byte),
        }
    }
    drop(raw);
    write_prompt("\n")?;
    match String::from_utf8_lossy(&line).into_owned() {
        text if text.is_empty() => Err(said("password is required")),
        text => Ok(text),
    }
}

fn interactive() -> Result<(), CliError> {
    if tty::has_input() {
        Ok(())
    } else {
        Err(said(
            "Error: Cannot perform an interactive login from a non TTY device",
        ))
    }
}

fn write_prompt(text: &str) -> Result<(), CliError> {
    let mut out = stderr();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(CliError::Output)
}

fn said(text: &str) -> CliError {
    CliError::Said(text.to_owned())
}
