//! `docker context create`, and the `--docker` that `update` shares with it.

use std::path::Path;

use serde_json::Map;

use crate::cli::commands::{Command, Operands};
use crate::cli::config::file_error;
use crate::cli::context::endpoint::Endpoint;
use crate::cli::context::store::{Context, Store, check_name};
use crate::cli::context::tls::{Material, Verify};
use crate::cli::context::{self, DEFAULT};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::options::words;
use crate::cli::{Session, output};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["context create"],
    about: "Create a context\n\nThe daemon is described by keys of --docker:\n\n\
            from                Copy the daemon of this context\n\
            host                Address of the daemon\n\
            ca                  File of the authority that signs the daemon's certificate\n\
            cert                File of our own certificate\n\
            key                 File of its key\n\
            skip-tls-verify     Believe any certificate of the daemon\n\n\
            For example:\n\n\
            $ docker context create lab --description \"the lab\" --docker \
            \"host=tcp://lab:2376,ca=ca.pem,cert=cert.pem,key=key.pem\"",
    synopsis: "[OPTIONS] CONTEXT",
    flags: &[OPTIONS, DESCRIBED],
    operands: Operands::Exactly(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(async move { run(session, matches) }),
};

const OPTIONS: &[Flag] = &[Flag::text("from", "Copy this context")];

/// What `update` can change too.
pub(super) const DESCRIBED: &[Flag] = &[
    Flag::text("description", "Description of the context"),
    Flag::list("docker", "Describe the daemon")
        .word("stringToString")
        .default("[]"),
];

/// How the context that needs no file is described.
pub(super) const DEFAULT_DESCRIPTION: &str = "Current DOCKER_HOST based configuration";

fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let name = &matches.operands[0];
    check_name(name)?;
    let store = session.contexts();
    if store.has(name) {
        return Err(CliError::Said(format!("context \"{name}\" already exists")));
    }
    let described = Daemon::parse(matches)?;
    let (mut context, material) = match matches.text("from") {
        Some(from) => copy(session, &store, from)?,
        None => match &described {
            Some(daemon) => daemon.resolve(session, &store)?,
            None => {
                // What this call would talk to.
                let (mut context, material) = copy(session, &store, DEFAULT)?;
                context.describe(DEFAULT_DESCRIPTION);
                (context, material)
            }
        },
    };
    context.name.clone_from(name);
    if let Some(text) = matches.text("description") {
        context.describe(text);
    }
    store.save(&context)?;
    store.save_tls(name, &material)?;
    output::line(name)?;
    output::complain(&format!("Successfully created context \"{name}\""));
    Ok(0)
}

/// A context and its certificates; the default one is what this call's options say.
pub(super) fn copy(
    session: &Session,
    store: &Store,
    name: &str,
) -> Result<(Context, Material), CliError> {
    if name != DEFAULT {
        return Ok((store.load(name)?, store.material(name)?));
    }
    let target = context::target(DEFAULT, &session.global, &session.config)?;
    let tls = target.tls;
    let context = Context {
        name: DEFAULT.to_owned(),
        metadata: Map::new(),
        host: target.host,
        skip_verify: tls.as_ref().is_some_and(|tls| tls.verify == Verify::Nobody),
    };
    Ok((context, tls.map(|tls| tls.material).unwrap_or_default()))
}

/// What `--docker` says.
#[derive(Debug, Default)]
pub(super) struct Daemon {
    from: Option<String>,
    host: Option<String>,
    ca: Option<String>,
    cert: Option<String>,
    key: Option<String>,
    skip_verify: bool,
}

impl Daemon {
    /// Reads the option; `None` when it was not given.
    pub(super) fn parse(matches: &Matches) -> Result<Option<Self>, CliError> {
        if !matches.given("docker") {
            return Ok(None);
        }
        let mut daemon = Self::default();
        let refuse =
            |why: String| CliError::Said(format!("unable to create docker endpoint config: {why}"));
        for field in matches
            .all("docker")
            .iter()
            .flat_map(|word| words::fields(word))
        {
            let (key, value) = field
                .split_once('=')
                .ok_or_else(|| refuse(format!("{field} must be formatted as key=value")))?;
            let value = value.to_owned();
            match key {
                "from" => daemon.from = Some(value),
                "host" => daemon.host = Some(value),
                "ca" => daemon.ca = Some(value),
                "cert" => daemon.cert = Some(value),
                "key" => daemon.key = Some(value),
                "skip-tls-verify" => {
                    daemon.skip_verify = value.parse().map_err(|_| {
                        refuse(format!(
                            "{key}: strconv.ParseBool: parsing \"{value}\": invalid syntax"
                        ))
                    })?;
                }
                _ => return Err(refuse(format!("unrecognized config key: {key}"))),
            }
        }
        Ok(Some(daemon))
    }

    /// The context that it describes, still without a name.
    pub(super) fn resolve(
        &self,
        session: &Session,
        store: &Store,
    ) -> Result<(Context, Material), CliError> {
        if let Some(from) = &self.from {
            return copy(session, store, from);
        }
        let read = |path: &Option<String>| -> Result<Option<Vec<u8>>, CliError> {
            path.as_ref()
                .map(|path| {
                    std::fs::read(path)
                        .map_err(|source| file_error("open", Path::new(path), source))
                })
                .transpose()
        };
        let host = self.host.clone().unwrap_or_default();
        // An address that no client could use would only fail later.
        Endpoint::parse(&host).map_err(|error| {
            CliError::Said(format!("unable to create docker endpoint config: {error}"))
        })?;
        let context = Context {
            name: String::new(),
            metadata: Map::new(),
            host,
            skip_verify: self.skip_verify,
        };
        let material = Material {
            ca: read(&self.ca)?,
            cert: read(&self.cert)?,
            key: read(&self.key)?,
        };
        Ok((context, material))
    }
}
