//! Names and passwords for registries, where Docker's client keeps them: `config.json`, or a helper it names.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::{Map, Value, json};

use super::error::CliError;

/// What Docker's own registry is called in these files.
pub(crate) const INDEX_SERVER: &str = "https://index.docker.io/v1/";

/// Who we are at one registry.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// The account.
    pub(crate) username: String,
    /// Its password.
    pub(crate) password: String,
    /// A token that stands for both.
    pub(crate) identity_token: String,
}

/// The file and what it says; other keys of it are left as they are.
pub(crate) struct Keyring {
    path: PathBuf,
    document: Map<String, Value>,
}

impl Keyring {
    /// Reads the file in the directory of the settings; a missing one is an empty one.
    pub(crate) fn load(settings: &Path) -> Result<Self, CliError> {
        let path = settings.join("config.json");
        let document = match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Map::new(),
            Err(source) => return Err(file("open", &path, source)),
            Ok(bytes) if bytes.iter().all(u8::is_ascii_whitespace) => Map::new(),
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                CliError::Said(format!(
                    "WARNING: Error loading config file: {}: {error}",
                    path.display()
                ))
            })?,
        };
        Ok(Self { path, document })
    }

    /// Where they are kept.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What is kept for a registry.
    pub(crate) fn get(&self, server: &str) -> Result<Option<Credentials>, CliError> {
        if let Some(helper) = self.helper(server) {
            return ask_helper(&helper, server);
        }
        let Some(entry) = self.entry(server) else {
            return Ok(None);
        };
        let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        let mut credentials = Credentials {
            username: text("username"),
            password: text("password"),
            identity_token: text("identitytoken"),
        };
        let pair = STANDARD.decode(text("auth")).unwrap_or_default();
        if let Some((name, password)) = String::from_utf8_lossy(&pair).split_once(':') {
            name.clone_into(&mut credentials.username);
            password
                .trim_end_matches('\0')
                .clone_into(&mut credentials.password);
        }
        Ok((credentials != Credentials::default()).then_some(credentials))
    }

    /// What is kept for every registry that the file names.
    pub(crate) fn all(&self) -> Result<Vec<(String, Credentials)>, CliError> {
        let names = |key: &str| {
            let map = self.document.get(key).and_then(Value::as_object);
            map.into_iter().flat_map(|map| map.keys().cloned())
        };
        let mut all = Vec::new();
        for server in names("auths").chain(names("credHelpers")) {
            if let Some(credentials) = self.get(&server)? {
                all.push((server, credentials));
            }
        }
        Ok(all)
    }

    fn entry(&self, server: &str) -> Option<&Value> {
        let all = self.document.get("auths")?.as_object()?;
        all.get(server).or_else(|| {
            all.iter()
                .find(|(known, _)| host_of(known) == host_of(server))
                .map(|(_, entry)| entry)
        })
    }

    /// Keeps a name and password; tells whether they lie open in the file.
    pub(crate) fn put(
        &mut self,
        server: &str,
        credentials: &Credentials,
    ) -> Result<Kept, CliError> {
        if let Some(helper) = self.helper(server) {
            let (name, secret) = match credentials.identity_token.as_str() {
                "" => (credentials.username.as_str(), &credentials.password),
                _ => ("<token>", &credentials.identity_token),
            };
            let document = json!({ "ServerURL": server, "Username": name, "Secret": secret });
            run_helper(&helper, "store", &document.to_string())?;
            return Ok(Kept::ByHelper);
        }
        let mut entry = Map::new();
        let pair = match credentials.identity_token.as_str() {
            "" => format!("{}:{}", credentials.username, credentials.password),
            _ => format!("{}:", credentials.username),
        };
        entry.insert("auth".to_owned(), STANDARD.encode(pair).into());
        if !credentials.identity_token.is_empty() {
            entry.insert(
                "identitytoken".to_owned(),
                credentials.identity_token.clone().into(),
            );
        }
        let auths = self.document.entry("auths").or_insert_with(|| json!({}));
        auths[server] = entry.into();
        self.save()?;
        Ok(Kept::InFile)
    }

    /// Forgets a registry.
    pub(crate) fn remove(&mut self, server: &str) -> Result<(), CliError> {
        if let Some(helper) = self.helper(server) {
            run_helper(&helper, "erase", server).map(drop)?;
        }
        let Some(auths) = self
            .document
            .get_mut("auths")
            .and_then(Value::as_object_mut)
        else {
            return Ok(());
        };
        auths.retain(|known, _| known != server && host_of(known) != host_of(server));
        self.save()
    }

    /// The program that keeps the secrets of a registry: `credHelpers`, then `credsStore`.
    fn helper(&self, server: &str) -> Option<String> {
        let one = self
            .document
            .get("credHelpers")
            .and_then(|all| all[host_of(server)].as_str());
        let any = self.document.get("credsStore").and_then(Value::as_str);
        one.or(any)
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
    }

    /// Written aside and renamed, readable by its owner only.
    fn save(&self) -> Result<(), CliError> {
        use std::os::unix::fs::OpenOptionsExt;
        let dir = self.path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(dir).map_err(|source| file("make", dir, source))?;
        let aside = dir.join(format!("config.json{}", std::process::id()));
        let text = serde_json::to_string_pretty(&self.document)
            .expect("a JSON document becomes text")
            .replace("  ", "\t");
        let write = || {
            let mut out = std::fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&aside)?;
            out.write_all(text.as_bytes())?;
            out.sync_all()?;
            std::fs::rename(&aside, &self.path)
        };
        write().map_err(|source| file("write", &self.path, source))
    }
}

/// Where a password has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// To a program that protects it.
    ByHelper,
    /// To the file, as it is.
    InFile,
}

/// The value of `X-Registry-Auth` for an image's name; none when nothing is kept.
pub(crate) fn header_for(settings: &Path, name: &str) -> Result<Option<String>, CliError> {
    let server = server_of(name);
    let Some(credentials) = Keyring::load(settings)?.get(&server)? else {
        return Ok(None);
    };
    Ok(Some(header(&server, &credentials)))
}

/// The value of `X-Registry-Config`: who we are at every registry, for builds; none when nothing is kept.
pub(crate) fn header_for_all(settings: &Path) -> Result<Option<String>, CliError> {
    let all = Keyring::load(settings)?.all()?;
    if all.is_empty() {
        return Ok(None);
    }
    let documents: Map<String, Value> = all
        .iter()
        .map(|(server, credentials)| (server.clone(), document(server, credentials)))
        .collect();
    Ok(Some(URL_SAFE.encode(Value::Object(documents).to_string())))
}

fn header(server: &str, credentials: &Credentials) -> String {
    URL_SAFE.encode(document(server, credentials).to_string())
}

fn document(server: &str, credentials: &Credentials) -> Value {
    json!({
        "username": credentials.username,
        "password": credentials.password,
        "serveraddress": server,
        "identitytoken": credentials.identity_token,
    })
}

/// The registry that an image's name begins with.
pub(crate) fn server_of(name: &str) -> String {
    match name.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => server_named(host),
        _ => INDEX_SERVER.to_owned(),
    }
}

/// A registry as its credentials are filed.
pub(crate) fn server_named(server: &str) -> String {
    match host_of(server) {
        "" | "docker.io" | "index.docker.io" | "registry-1.docker.io" => INDEX_SERVER.to_owned(),
        host => host.to_owned(),
    }
}

fn host_of(server: &str) -> &str {
    let plain = server
        .trim_start_matches("https://")
        .trim_start_matches("http://");
    plain.split('/').next().unwrap_or(plain)
}

fn ask_helper(helper: &str, server: &str) -> Result<Option<Credentials>, CliError> {
    let answer = match run_helper(helper, "get", server) {
        Err(CliError::Said(text)) if text.contains("credentials not found") => return Ok(None),
        other => other?,
    };
    let answer: Value = serde_json::from_str(&answer)
        .map_err(|error| CliError::Said(format!("error getting credentials - err: {error}")))?;
    let (name, secret) = (
        answer["Username"].as_str().unwrap_or_default().to_owned(),
        answer["Secret"].as_str().unwrap_or_default().to_owned(),
    );
    Ok(Some(if name == "<token>" {
        Credentials {
            identity_token: secret,
            ..Credentials::default()
        }
    } else {
        Credentials {
            username: name,
            password: secret,
            ..Credentials::default()
        }
    }))
}

/// One call of `docker-credential-NAME`: the question on stdin, the answer on stdout.
fn run_helper(helper: &str, verb: &str, input: &str) -> Result<String, CliError> {
    let program = format!("docker-credential-{helper}");
    let said = |why: String| CliError::Said(format!("error {verb} credentials - err: {why}"));
    let mut child = Command::new(&program)
        .arg(verb)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| said(format!("exec: \"{program}\": {error}")))?;
    let written = child
        .stdin
        .take()
        .expect("stdin is a pipe")
        .write_all(input.as_bytes());
    let output = child
        .wait_with_output()
        .map_err(|error| said(error.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() {
        return Err(said(format!("{}, out: `{text}`", output.status)));
    }
    written.map_err(|error| said(error.to_string()))?;
    Ok(text)
}

fn file(what: &'static str, path: &Path, source: std::io::Error) -> CliError {
    CliError::File {
        what,
        path: path.display().to_string(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_the_registry_they_begin_with() {
        for (name, server) in [
            ("busybox", INDEX_SERVER),
            ("me/x:1", INDEX_SERVER),
            ("docker.io/x", INDEX_SERVER),
            ("r.test/x", "r.test"),
            ("localhost/x", "localhost"),
            ("127.0.0.1:5000/x:1", "127.0.0.1:5000"),
        ] {
            assert_eq!(server_of(name), server, "{name}");
        }
    }

    #[test]
    fn other_settings_are_kept_as_they_are() {
        let dir = std::env::temp_dir().join(format!("quai-keyring-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let mut keyring = Keyring {
            path: dir.join("config.json"),
            document: serde_json::from_str(r#"{"currentContext":"x"}"#).unwrap(),
        };
        let me = Credentials {
            username: "me".into(),
            password: "se:cret".into(),
            ..Credentials::default()
        };
        assert_eq!(keyring.put("r.test", &me).unwrap(), Kept::InFile);
        assert!(keyring.get("https://r.test/v1/").unwrap() == Some(me));
        let text = std::fs::read_to_string(keyring.path()).unwrap();
        assert!(text.contains("currentContext"));
        keyring.remove("r.test").unwrap();
        assert!(keyring.get("r.test").unwrap().is_none());
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
