//! Settings → running server: the words of `quai local`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::machine::spec::Network;
use crate::published::address::Domain;
use crate::session::origin::AllowedHosts;

/// What `quai local` was asked.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// TCP port on 127.0.0.1.
    pub(crate) port: u16,
    /// Where everything of this server is kept.
    pub(crate) data: PathBuf,
    /// A course folder in place of the embedded one.
    pub(crate) content: Option<PathBuf>,
    /// Whether a browser is opened at the start.
    pub(crate) browser: Browser,
    /// What machines started from now on may reach.
    pub(crate) network: Network,
    /// Names under which the server may be asked.
    pub(crate) hosts: AllowedHosts,
    /// Below which name the pages are that machines publish.
    pub(crate) published: Domain,
}

/// What happens to the learner's browser at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Browser {
    /// It is opened, where there is one.
    Open,
    /// It is left alone.
    Leave,
}

/// A word of the command line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UsageError {
    /// An option nobody knows.
    #[error("unknown option {0}")]
    Unknown(String),
    /// An option without its value.
    #[error("option {0} needs a value")]
    NoValue(String),
    /// A port that is none.
    #[error("{0} is not a port")]
    Port(String),
    /// Neither open nor closed.
    #[error("{0} is neither open nor closed")]
    Network(String),
    /// A domain that is none.
    #[error("{0} is not a domain name")]
    Domain(String),
    /// `--help`.
    #[error("help was asked")]
    Help,
}

impl Config {
    /// Where `quai local` keeps its data unless told otherwise.
    pub(crate) const DATA: &'static str = "/var/lib/quai";
    /// Where it listens unless told otherwise.
    pub(crate) const PORT: u16 = 8080;

    /// Reads the words after `quai local`.
    pub(crate) fn parse(words: &[OsString]) -> Result<Self, UsageError> {
        let mut config = Self {
            port: Self::PORT,
            data: PathBuf::from(Self::DATA),
            content: None,
            browser: Browser::Open,
            network: Network::Closed,
            hosts: AllowedHosts::loopback(),
            published: Domain::localhost(),
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let text = word.to_string_lossy();
            let (option, joined) = match text.split_once('=') {
                Some((option, value)) if option.starts_with("--") => (option, Some(value.into())),
                _ => (text.as_ref(), None),
            };
            let mut value = || {
                joined
                    .clone()
                    .or_else(|| words.next().cloned())
                    .ok_or_else(|| UsageError::NoValue(option.to_owned()))
            };
            match option {
                "--port" => config.port = port(&value()?)?,
                "--data" => config.data = PathBuf::from(value()?),
                "--content" => config.content = Some(PathBuf::from(value()?)),
                "--network" => config.network = network(&value()?)?,
                "--published-domain" => config.published = domain(&value()?)?,
                "--no-open" => config.browser = Browser::Leave,
                "--help" | "-h" => return Err(UsageError::Help),
                _ => return Err(UsageError::Unknown(option.to_owned())),
            }
        }
        Ok(config)
    }

    /// The address people type.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Where the catalogue of images is.
    pub(crate) fn store(&self) -> PathBuf {
        self.data.join("store")
    }

    /// Where the web process may write.
    pub(crate) fn web_data(&self) -> PathBuf {
        self.data.join("web")
    }

    /// The database.
    pub(crate) fn database(&self) -> PathBuf {
        self.web_data().join("quai.db")
    }
}

/// Whether a catalogue can give a machine its root.
pub(crate) fn has_machine_image(store: &Path) -> bool {
    let tags = std::fs::read(store.join("tags.json")).unwrap_or_default();
    let tags: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&tags).unwrap_or_default();
    tags.keys()
        .any(|name| name.ends_with("quai/machine:latest"))
}

fn port(value: &OsString) -> Result<u16, UsageError> {
    let text = value.to_string_lossy();
    match text.parse() {
        Ok(port) if port != 0 => Ok(port),
        _ => Err(UsageError::Port(text.into_owned())),
    }
}

fn network(value: &OsString) -> Result<Network, UsageError> {
    match value.to_str() {
        Some("open") => Ok(Network::Open),
        Some("closed") => Ok(Network::Closed),
        _ => Err(UsageError::Network(value.to_string_lossy().into_owned())),
    }
}

fn domain(value: &OsString) -> Result<Domain, UsageError> {
    let text = value.to_string_lossy();
    Domain::parse(&text).map_err(|_| UsageError::Domain(text.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Config, UsageError> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        Config::parse(&words)
    }

    #[test]
    fn options_take_their_value_beside_or_joined() {
        let config = parse("--port=9000 --data /tmp/q --no-open").unwrap();
        assert_eq!(config.port, 9000);
        assert_eq!(
            config.database(),
            std::path::Path::new("/tmp/q/web/quai.db")
        );
        assert_eq!(config.browser, Browser::Leave);
    }

    #[test]
    fn machines_are_closed_unless_a_word_opens_them() {
        assert_eq!(parse("").unwrap().network, Network::Closed);
        assert_eq!(parse("--network open").unwrap().network, Network::Open);
        assert_eq!(parse("--network=closed").unwrap().network, Network::Closed);
        let wrong = UsageError::Network("on".into());
        assert_eq!(parse("--network on").unwrap_err(), wrong);
    }

    #[test]
    fn pages_of_machines_are_below_a_name() {
        assert_eq!(parse("").unwrap().published, Domain::localhost());
        let ours = parse("--published-domain tp.example").unwrap().published;
        assert_eq!(Some(ours), Domain::parse("tp.example").ok());
        let wrong = UsageError::Domain("127.0.0.1".into());
        assert_eq!(parse("--published-domain=127.0.0.1").unwrap_err(), wrong);
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        assert_eq!(
            parse("--port").unwrap_err(),
            UsageError::NoValue("--port".into())
        );
        assert_eq!(parse("--port 0").unwrap_err(), UsageError::Port("0".into()));
        assert_eq!(
            parse("--prot 1").unwrap_err(),
            UsageError::Unknown("--prot".into())
        );
        assert_eq!(
            parse("extra").unwrap_err(),
            UsageError::Unknown("extra".into())
        );
    }
}
