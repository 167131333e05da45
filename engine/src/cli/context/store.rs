//! The contexts that `docker context create` keeps: one directory each, named after the
//! SHA-256 of the context's name, as Docker lays them out.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::tls::{Material, Tls, Verify};
use crate::cli::config::{self, file_error};
use crate::cli::error::CliError;

/// The files of certificates that a context may have.
pub(crate) const TLS_FILES: [&str; 3] = ["ca.pem", "cert.pem", "key.pem"];

/// A context as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Context {
    /// Its name.
    pub(crate) name: String,
    /// `Metadata`: a description and whatever others put there.
    pub(crate) metadata: Map<String, Value>,
    /// Where its daemon listens.
    pub(crate) host: String,
    /// Whether the daemon's certificate is believed unseen.
    pub(crate) skip_verify: bool,
}

impl Context {
    /// What `meta.json` says.
    pub(crate) fn document(&self) -> Value {
        json!({
            "Name": self.name,
            "Metadata": self.metadata,
            "Endpoints": { "docker": { "Host": self.host, "SkipTLSVerify": self.skip_verify } },
        })
    }

    /// Reads what `meta.json` says.
    pub(crate) fn parse(document: &Value) -> Option<Self> {
        let docker = &document["Endpoints"]["docker"];
        let name = document["Name"].as_str()?;
        Some(Self {
            name: name.to_owned(),
            metadata: document["Metadata"]
                .as_object()
                .cloned()
                .unwrap_or_default(),
            host: docker["Host"].as_str().unwrap_or_default().to_owned(),
            skip_verify: docker["SkipTLSVerify"] == true,
        })
    }

    /// Its description, or nothing.
    pub(crate) fn description(&self) -> &str {
        self.metadata
            .get("Description")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Changes its description; an empty one is none.
    pub(crate) fn describe(&mut self, text: &str) {
        if text.is_empty() {
            self.metadata.shift_remove("Description");
        } else {
            self.metadata.insert("Description".into(), text.into());
        }
    }
}

/// The directory of all contexts.
#[derive(Debug)]
pub(crate) struct Store {
    top: PathBuf,
}

impl Store {
    /// The store beside the client's settings.
    pub(crate) fn new(settings: &Path) -> Self {
        Self {
            top: settings.join("contexts"),
        }
    }

    /// Where a context's own file is.
    pub(crate) fn metadata_path(&self, name: &str) -> PathBuf {
        self.top.join("meta").join(folder(name))
    }

    /// Where a context's certificates are.
    pub(crate) fn tls_path(&self, name: &str) -> PathBuf {
        self.top.join("tls").join(folder(name))
    }

    /// Reads one context.
    pub(crate) fn load(&self, name: &str) -> Result<Context, CliError> {
        let path = self.metadata_path(name).join("meta.json");
        let text = fs::read(&path).map_err(|source| CliError::NoContext {
            name: name.to_owned(),
            source: Box::new(file_error("open", &path, source)),
        })?;
        serde_json::from_slice(&text)
            .ok()
            .as_ref()
            .and_then(Context::parse)
            .ok_or_else(|| {
                CliError::Said(format!("context \"{name}\": parsing {}", path.display()))
            })
    }

    /// Whether there is such a context.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.metadata_path(name).join("meta.json").is_file()
    }

    /// Every context, by name.
    pub(crate) fn all(&self) -> Result<Vec<Context>, CliError> {
        let folder = self.top.join("meta");
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(file_error("open", &folder, error)),
        };
        let mut all = Vec::new();
        for entry in entries.flatten() {
            let path = entry.path().join("meta.json");
            let Ok(text) = fs::read(&path) else {
                continue;
            };
            let document: Value = serde_json::from_slice(&text)
                .map_err(|error| CliError::Said(format!("parsing {}: {error}", path.display())))?;
            all.extend(Context::parse(&document));
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// Keeps a context.
    pub(crate) fn save(&self, context: &Context) -> Result<(), CliError> {
        let folder = self.metadata_path(&context.name);
        config::make_directory(&folder)?;
        config::replace(
            &folder.join("meta.json"),
            context.document().to_string().as_bytes(),
        )
    }

    /// Keeps a context's certificates, in place of those it had.
    pub(crate) fn save_tls(&self, name: &str, files: &Material) -> Result<(), CliError> {
        self.remove_tls(name)?;
        let folder = self.tls_path(name).join("docker");
        for (file, bytes) in TLS_FILES.iter().zip(files.all()) {
            if let Some(bytes) = bytes {
                config::make_directory(&folder)?;
                config::replace(&folder.join(file), bytes)?;
            }
        }
        Ok(())
    }

    /// The certificates of a context.
    pub(crate) fn material(&self, name: &str) -> Result<Material, CliError> {
        let folder = self.tls_path(name).join("docker");
        let mut files = TLS_FILES.iter().map(|file| {
            let path = folder.join(file);
            match fs::read(&path) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(file_error("open", &path, error)),
            }
        });
        let mut next = || files.next().expect("there are three files");
        Ok(Material {
            ca: next()?,
            cert: next()?,
            key: next()?,
        })
    }

    /// How connections of a context are protected, when they are.
    pub(crate) fn tls(&self, context: &Context) -> Result<Option<Tls>, CliError> {
        let material = self.material(&context.name)?;
        if material.is_empty() && !context.skip_verify {
            return Ok(None);
        }
        let verify = if context.skip_verify {
            Verify::Nobody
        } else {
            Verify::Daemon
        };
        Ok(Some(Tls { material, verify }))
    }

    /// Forgets a context.
    pub(crate) fn remove(&self, name: &str) -> Result<(), CliError> {
        let path = self.metadata_path(name);
        fs::remove_dir_all(&path).map_err(|source| file_error("remove", &path, source))?;
        self.remove_tls(name)
    }

    fn remove_tls(&self, name: &str) -> Result<(), CliError> {
        let path = self.tls_path(name);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(file_error("remove", &path, error))
            }
            _ => Ok(()),
        }
    }
}

/// The name of a context's directory.
fn folder(name: &str) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(name.as_bytes()) {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
    }
    text
}

/// Refuses what cannot be the name of a context.
pub(crate) fn check_name(name: &str) -> Result<(), CliError> {
    if name.is_empty() {
        return Err(CliError::Said("context name cannot be empty".to_owned()));
    }
    if name == super::DEFAULT {
        return Err(CliError::Said(
            "\"default\" is a reserved context name".to_owned(),
        ));
    }
    let letter = |c: char| c.is_ascii_alphanumeric();
    let good = name.len() > 1
        && name.starts_with(letter)
        && name.chars().all(|c| letter(c) || "_.+-".contains(c));
    if good {
        return Ok(());
    }
    Err(CliError::Said(format!(
        "context name \"{name}\" is invalid, names are validated against regexp \
         \"^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$\""
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_named_after_the_name_s_hash() {
        assert_eq!(
            folder("t1"),
            "628b49d96dcde97a430dd4f597705899e09a968f793491e4b704cae33a40dc02"
        );
    }

    #[test]
    fn a_name_has_no_slash() {
        assert!(check_name("bad/name").is_err());
        assert!(check_name("default").is_err());
        assert!(check_name("good-1.x").is_ok());
    }
}
