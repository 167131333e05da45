//! Names and passwords, as htpasswd(1) keeps them: `name:$2y$…`, bcrypt only.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::oci::Digest;

use super::answer::Refusal;

/// bcrypt's work factor of new passwords.
const COST: u32 = 10;

/// A password file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HtpasswdError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line is none.
    #[error("{}:{line}: expected NAME:HASH with a bcrypt hash, as `htpasswd -B` writes it", .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Which, from 1.
        line: usize,
    },
    /// A password cannot be hashed.
    #[error("cannot hash the password: {0}")]
    Hash(bcrypt::BcryptError),
}

/// Who may come in.
#[derive(Debug, Default)]
pub(super) struct Gate {
    hashes: Option<Arc<BTreeMap<String, String>>>,
    /// What was right before: bcrypt is slow on purpose, and a pull asks many times.
    right: Mutex<BTreeSet<Digest>>,
}

impl Gate {
    /// Lets everybody in.
    pub(super) fn open() -> Self {
        Self::default()
    }

    /// Lets in whom the file names.
    pub(super) fn with_file(path: &Path) -> Result<Self, HtpasswdError> {
        let text = std::fs::read_to_string(path).map_err(|source| HtpasswdError::Read {
            path: path.to_owned(),
            source,
        })?;
        let mut hashes = BTreeMap::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let pair = line
                .split_once(':')
                .filter(|(name, hash)| !name.is_empty() && hash.starts_with("$2"));
            let (name, hash) = pair.ok_or_else(|| HtpasswdError::Line {
                path: path.to_owned(),
                line: at + 1,
            })?;
            hashes.insert(name.to_owned(), hash.to_owned());
        }
        Ok(Self {
            hashes: Some(Arc::new(hashes)),
            right: Mutex::default(),
        })
    }

    /// Refuses who does not prove a name.
    pub(super) async fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(hashes) = &self.hashes else {
            return Ok(());
        };
        let value = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let (name, password) = value.and_then(basic).ok_or(Refusal::Unauthorized)?;
        let proof = Digest::of(format!("{name}\0{password}").as_bytes());
        if self.known().contains(&proof) {
            return Ok(());
        }
        let hashes = Arc::clone(hashes);
        let right = tokio::task::spawn_blocking(move || {
            // A name that does not exist costs the same time.
            let dummy = "$2y$10$abcdefghijklmnopqrstuuPxBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB";
            let hash = hashes.get(&name);
            let right =
                bcrypt::verify(&password, hash.map_or(dummy, String::as_str)).unwrap_or(false);
            right && hash.is_some()
        });
        match right.await {
            Ok(true) => {
                self.known().insert(proof);
                Ok(())
            }
            _ => Err(Refusal::Unauthorized),
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeSet<Digest>> {
        self.right.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `Basic bmFtZTpwYXNzd29yZA==`
fn basic(value: &str) -> Option<(String, String)> {
    let (scheme, pair) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(pair.trim()).ok()?).ok()?;
    let (name, password) = pair.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

/// A line of a password file.
pub fn password_line(name: &str, password: &str) -> Result<String, HtpasswdError> {
    let hash = bcrypt::hash_with_result(password, COST).map_err(HtpasswdError::Hash)?;
    Ok(format!(
        "{name}:{}",
        hash.format_for_version(bcrypt::Version::TwoY)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::Scratch;

    fn headers(pair: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let value = format!("Basic {}", STANDARD.encode(pair));
        headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        headers
    }

    #[tokio::test]
    async fn only_the_right_password_opens() {
        let scratch = Scratch::new();
        let path = scratch.path().join("htpasswd");
        std::fs::write(
            &path,
            format!("# class\n{}\n", password_line("me", "se:cret").unwrap()),
        )
        .unwrap();
        let gate = Gate::with_file(&path).unwrap();
        assert!(gate.check(&headers("me:se:cret")).await.is_ok());
        for bad in ["me:wrong", "you:se:cret", "me", ":"] {
            assert!(gate.check(&headers(bad)).await.is_err(), "{bad}");
        }
        assert!(gate.check(&HeaderMap::new()).await.is_err());
        std::fs::write(&path, "me:{SHA}x\n").unwrap();
        assert!(matches!(
            Gate::with_file(&path),
            Err(HtpasswdError::Line { line: 1, .. })
        ));
    }
}
