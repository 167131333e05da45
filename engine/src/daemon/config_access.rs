//! What flags and `daemon.json` say about who reaches the engine: the group of its sockets, and TLS on TCP.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;

use super::config_error::ConfigError;

/// Flags of `quai engine` about who reaches it.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct AccessArgs {
    /// Group of the socket files
    #[arg(short = 'G', long)]
    group: Option<String>,
    /// Use TLS on TCP; implied by --tlsverify
    #[arg(long)]
    tls: bool,
    /// Use TLS and ask clients for their certificate
    #[arg(long, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    tlsverify: Option<bool>,
    /// Believe only certificates signed by this authority
    #[arg(long)]
    tlscacert: Option<PathBuf>,
    /// The engine's certificate
    #[arg(long)]
    tlscert: Option<PathBuf>,
    /// Its key
    #[arg(long)]
    tlskey: Option<PathBuf>,
}

/// Keys of `daemon.json` about who reaches the engine.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct AccessFile {
    group: Option<String>,
    tls: Option<bool>,
    tlsverify: Option<bool>,
    tlscacert: Option<PathBuf>,
    tlscert: Option<PathBuf>,
    tlskey: Option<PathBuf>,
}

/// The keys, so that the others can be refused.
pub(super) const KEYS: [&str; 6] = [
    "group",
    "tls",
    "tlsverify",
    "tlscacert",
    "tlscert",
    "tlskey",
];

/// Who reaches the engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessConfig {
    /// Group of the socket files; without a choice `docker`, where there is one.
    pub group: Option<String>,
    /// TLS on TCP.
    pub tls: Option<TlsFiles>,
}

/// Certificates, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Clients have to show a certificate of this authority; `None` asks for none.
    pub clients: Option<PathBuf>,
    /// The engine's own chain.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl AccessConfig {
    /// Joins flags and file; `check` refuses what is said in both places.
    pub(super) fn resolve(
        args: AccessArgs,
        file: AccessFile,
        check: impl Fn(&'static str, Option<String>, Option<String>) -> Result<(), ConfigError>,
    ) -> Result<Self, ConfigError> {
        let bool_text = |value: Option<bool>| value.map(|value| value.to_string());
        let path_text =
            |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        check("group", args.group.clone(), file.group.clone())?;
        check(
            "tls",
            bool_text(args.tls.then_some(true)),
            bool_text(file.tls),
        )?;
        check(
            "tlsverify",
            bool_text(args.tlsverify),
            bool_text(file.tlsverify),
        )?;
        check(
            "tlscacert",
            path_text(&args.tlscacert),
            path_text(&file.tlscacert),
        )?;
        check(
            "tlscert",
            path_text(&args.tlscert),
            path_text(&file.tlscert),
        )?;
        check("tlskey", path_text(&args.tlskey), path_text(&file.tlskey))?;
        let verify = args.tlsverify.or(file.tlsverify);
        // Whoever says anything about verification wants TLS.
        let wanted = args.tls || file.tls == Some(true) || verify.is_some();
        let folder = certificates();
        let place = |flag: Option<PathBuf>, key: Option<PathBuf>, name: &str| {
            flag.or(key).unwrap_or_else(|| folder.join(name))
        };
        let tls = wanted.then(|| TlsFiles {
            clients: (verify == Some(true))
                .then(|| place(args.tlscacert, file.tlscacert, "ca.pem")),
            certificate: place(args.tlscert, file.tlscert, "cert.pem"),
            key: place(args.tlskey, file.tlskey, "key.pem"),
        });
        Ok(Self {
            group: args.group.or(file.group),
            tls,
        })
    }
}

/// Where certificates are looked for that nobody named, as the client does.
fn certificates() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    match (set("DOCKER_CERT_PATH"), set("HOME")) {
        (Some(folder), _) => folder.into(),
        (None, home) => Path::new(&home.unwrap_or_else(|| "/root".into())).join(".docker"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(args: AccessArgs, file: &str) -> AccessConfig {
        let file = serde_json::from_str(file).unwrap();
        AccessConfig::resolve(args, file, |_, _, _| Ok(())).unwrap()
    }

    #[test]
    fn verification_implies_tls() {
        assert_eq!(resolve(AccessArgs::default(), "{}").tls, None);
        let tls = resolve(AccessArgs::default(), r#"{"tls":true,"tlscert":"/c"}"#)
            .tls
            .unwrap();
        assert_eq!((tls.clients, tls.certificate), (None, "/c".into()));
        let args = AccessArgs {
            tlsverify: Some(true),
            ..AccessArgs::default()
        };
        let tls = resolve(args, r#"{"tlscacert":"/a"}"#).tls.unwrap();
        assert_eq!(tls.clients, Some("/a".into()));
        let tls = resolve(AccessArgs::default(), r#"{"tlsverify":false}"#)
            .tls
            .unwrap();
        assert_eq!(tls.clients, None);
    }
}
