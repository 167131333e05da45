//! `config.json`: what a user settled once for every call.
//!
//! The file is a JSON object that other programs write too, so what this client does not know
//! is kept as it is.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::error::CliError;

/// The directory of the client's settings and the file in it.
#[derive(Debug)]
pub(crate) struct Config {
    directory: PathBuf,
    file: Map<String, Value>,
}

/// Where the settings are: `$DOCKER_CONFIG`, else `~/.docker`.
pub(crate) fn default_directory() -> PathBuf {
    match std::env::var_os("DOCKER_CONFIG").filter(|path| !path.is_empty()) {
        Some(path) => path.into(),
        None => home().join(".docker"),
    }
}

/// `$HOME`; root's when nobody says.
fn home() -> PathBuf {
    std::env::var_os("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from)
}

impl Config {
    /// Reads the settings in `directory`; a file that cannot be used is reported and ignored,
    /// as a broken file must not keep anybody from stopping a container.
    pub(crate) fn load(directory: &Path) -> (Self, Option<String>) {
        let path = directory.join("config.json");
        let (file, warning) = match fs::read(&path) {
            Ok(text) => match serde_json::from_slice::<Value>(&text) {
                Ok(Value::Object(file)) => (file, None),
                Ok(_) => (Map::new(), Some("it is no JSON object".to_owned())),
                Err(error) => (Map::new(), Some(error.to_string())),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => (Map::new(), None),
            Err(error) => (Map::new(), Some(error.to_string())),
        };
        let warning = warning.map(|why| {
            format!(
                "WARNING: Error parsing config file ({}): {why}",
                path.display()
            )
        });
        let config = Self {
            directory: directory.to_owned(),
            file,
        };
        (config, warning)
    }

    /// Where the settings are kept.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// A setting that is a text, such as `psFormat`; an empty one is none.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.file
            .get(key)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    }

    /// A setting of any kind.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.file.get(key)
    }

    /// Sets or removes a setting; [`save`](Self::save) makes it last.
    pub(crate) fn set(&mut self, key: &str, value: Option<Value>) {
        match value {
            Some(value) => drop(self.file.insert(key.to_owned(), value)),
            None => drop(self.file.shift_remove(key)),
        }
    }

    /// `HttpHeaders`: what every request carries besides its own headers.
    pub(crate) fn headers(&self) -> Vec<(String, String)> {
        pairs(self.file.get("HttpHeaders"))
    }

    /// `proxies`: the variables that containers of the daemon at `host` are given.
    pub(crate) fn proxies(&self, host: &str) -> Vec<(String, String)> {
        let Some(proxies) = self.file.get("proxies") else {
            return Vec::new();
        };
        let chosen = proxies.get(host).or_else(|| proxies.get("default"));
        let mut variables = Vec::new();
        for (key, name) in [
            ("httpProxy", "HTTP_PROXY"),
            ("httpsProxy", "HTTPS_PROXY"),
            ("noProxy", "NO_PROXY"),
            ("ftpProxy", "FTP_PROXY"),
            ("allProxy", "ALL_PROXY"),
        ] {
            let value = chosen.and_then(|chosen| chosen[key].as_str());
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                variables.push((name.to_owned(), value.to_owned()));
                variables.push((name.to_ascii_lowercase(), value.to_owned()));
            }
        }
        variables
    }

    /// Writes the settings: whole or not at all, readable by this user only.
    pub(crate) fn save(&mut self) -> Result<(), CliError> {
        if !self.file.contains_key("auths") {
            // Docker's file always begins with it.
            self.file
                .shift_insert(0, "auths".into(), Value::Object(Map::new()));
        }
        make_directory(&self.directory)?;
        let path = self.directory.join("config.json");
        // A link stays a link: what it names is replaced.
        let path = fs::canonicalize(&path).unwrap_or(path);
        let mut text = Vec::new();
        let layout = serde_json::ser::PrettyFormatter::with_indent(b"\t");
        let mut serializer = serde_json::Serializer::with_formatter(&mut text, layout);
        serde::Serialize::serialize(&self.file, &mut serializer)
            .expect("JSON values always serialise");
        replace(&path, &text)
    }
}

/// Makes a directory of settings, closed to others.
pub(crate) fn make_directory(path: &Path) -> Result<(), CliError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| file_error("mkdir", path, source))
}

/// Writes `bytes` beside `path` and puts them in its place.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}", std::process::id()));
    let beside = path.with_file_name(name);
    let write = || -> io::Result<()> {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)?;
        file.write_all(bytes)?;
        fs::rename(&beside, path)
    };
    write().map_err(|source| {
        // Nothing half-written is left behind; the error that counts is the first.
        let _ = fs::remove_file(&beside);
        file_error("write", path, source)
    })
}

/// A file of the settings that cannot be used.
pub(crate) fn file_error(what: &'static str, path: &Path, source: io::Error) -> CliError {
    CliError::Setting {
        what,
        path: path.display().to_string(),
        source,
    }
}

fn pairs(map: Option<&Value>) -> Vec<(String, String)> {
    let fields = map.and_then(Value::as_object).into_iter().flatten();
    fields
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("quai-config-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        path
    }

    #[test]
    fn what_is_not_known_is_kept() {
        let directory = scratch("kept");
        fs::create_dir_all(&directory).unwrap();
        fs::write(
            directory.join("config.json"),
            r#"{"plugins":{"x":{}},"currentContext":"a","HttpHeaders":{"X-A":"b"}}"#,
        )
        .unwrap();
        let (mut config, warning) = Config::load(&directory);
        assert_eq!(warning, None);
        assert_eq!(config.text("currentContext"), Some("a"));
        assert_eq!(config.headers(), [("X-A".to_owned(), "b".to_owned())]);
        config.set("currentContext", None);
        config.save().unwrap();
        let text = fs::read_to_string(directory.join("config.json")).unwrap();
        let saved: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            saved,
            json!({"auths": {}, "plugins": {"x": {}}, "HttpHeaders": {"X-A": "b"}})
        );
        assert!(text.starts_with("{\n\t\"auths\": {}"), "{text}");
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_broken_file_is_reported_and_ignored() {
        let directory = scratch("broken");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("config.json"), "{bad").unwrap();
        let (config, warning) = Config::load(&directory);
        assert!(
            warning
                .unwrap()
                .starts_with("WARNING: Error parsing config file")
        );
        assert_eq!(config.text("psFormat"), None);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn proxies_have_two_spellings() {
        let config = Config {
            directory: PathBuf::new(),
            file: json!({"proxies": {
                "default": {"httpProxy": "http://p:1"},
                "tcp://h:2375": {"noProxy": "x"},
            }})
            .as_object()
            .unwrap()
            .clone(),
        };
        let names = |host| -> Vec<String> {
            config
                .proxies(host)
                .into_iter()
                .map(|(name, _)| name)
                .collect()
        };
        assert_eq!(names("unix:///x"), ["HTTP_PROXY", "http_proxy"]);
        assert_eq!(names("tcp://h:2375"), ["NO_PROXY", "no_proxy"]);
    }
}
