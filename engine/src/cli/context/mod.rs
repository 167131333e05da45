//! Which engine to talk to: `-H`, `--context`, the environment, then `docker context use`.
//!
//! A context is a name for an address and its certificates, kept beside `config.json`. The one
//! named `default` is not kept anywhere: it is whatever the options and the environment say.

pub(crate) mod endpoint;
pub(crate) mod store;
pub(crate) mod tls;

use super::config::Config;
use super::error::CliError;
use super::flags::Matches;
use endpoint::Endpoint;
use store::Store;
use tls::Tls;

/// The context that needs no file.
pub(crate) const DEFAULT: &str = "default";

/// How to reach one daemon.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// The address as messages show it.
    pub(crate) host: String,
    /// Where to connect.
    pub(crate) endpoint: Endpoint,
    /// How the connection is protected, when it is.
    pub(crate) tls: Option<Tls>,
}

/// The name of the context that this call uses.
pub(crate) fn chosen(global: &Matches, config: &Config) -> Result<String, CliError> {
    let given = global.text("context").filter(|name| !name.is_empty());
    let hosts = global.all("host");
    if given.is_some() && !hosts.is_empty() {
        return Err(CliError::Said(
            "conflicting options: cannot specify both --host and --context".to_owned(),
        ));
    }
    if let Some(name) = given {
        return Ok(name.to_owned());
    }
    if !hosts.is_empty() || variable("DOCKER_HOST").is_some() {
        return Ok(DEFAULT.to_owned());
    }
    if let Some(name) = variable("DOCKER_CONTEXT") {
        return Ok(name);
    }
    Ok(config.text("currentContext").unwrap_or(DEFAULT).to_owned())
}

/// The daemon of the context `name`.
pub(crate) fn target(name: &str, global: &Matches, config: &Config) -> Result<Target, CliError> {
    let failed = |error: CliError| {
        CliError::Said(format!(
            "Failed to initialize: unable to resolve docker endpoint: {error}"
        ))
    };
    if name == DEFAULT {
        return default_target(global, config).map_err(failed);
    }
    let store = Store::new(config.directory());
    let context = store.load(name).map_err(failed)?;
    let tls = store.tls(&context).map_err(failed)?;
    let endpoint = Endpoint::parse(&context.host).map_err(failed)?;
    Ok(Target {
        host: endpoint.shown(&context.host),
        endpoint,
        tls,
    })
}

/// The address of the default context: `-H`, then `DOCKER_HOST`, then the usual socket.
pub(crate) fn default_host(global: &Matches) -> Result<String, CliError> {
    match global.all("host") {
        [] => {}
        [host] if host.is_empty() => {}
        [host] => return Ok(host.clone()),
        _ => return Err(CliError::Said("Specify only one -H".to_owned())),
    }
    Ok(variable("DOCKER_HOST").unwrap_or_else(|| endpoint::DEFAULT_HOST.to_owned()))
}

fn default_target(global: &Matches, config: &Config) -> Result<Target, CliError> {
    let host = default_host(global)?;
    let tls = Tls::of_options(global, config)?;
    let endpoint = match &tls {
        Some(_) => Endpoint::parse_protected(&host)?,
        None => Endpoint::parse(&host)?,
    };
    Ok(Target {
        host: endpoint.shown(&host),
        endpoint,
        tls,
    })
}

/// An environment variable that says something.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
