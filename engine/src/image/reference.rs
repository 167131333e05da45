//! Image names: `busybox` means `docker.io/library/busybox:latest`.

use std::fmt::{self, Display};
use std::str::FromStr;

use crate::oci::Digest;

const DEFAULT_DOMAIN: &str = "docker.io";

/// A normalised image name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    domain: String,
    path: String,
    selector: Selector,
}

/// Which image of a repository is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Selector {
    /// `:tag`, `latest` when left out.
    Tag(String),
    /// `@sha256:…`; a tag beside it says nothing.
    Digest(Digest),
}

/// A text that names no image. The wording is Docker's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadReference {
    /// It breaks the grammar.
    #[error("invalid reference format")]
    Format,
    /// Upper case in the repository.
    #[error("invalid reference format: repository name ({0}) must be lowercase")]
    UpperCase(String),
    /// More than 255 characters.
    #[error("repository name must not be more than 255 characters")]
    TooLong,
    /// 64 hexadecimal digits would be taken for an id.
    #[error("invalid repository name ({0}), cannot specify 64-byte hexadecimal strings")]
    Id(String),
}

impl Reference {
    /// Reads a name as people write it.
    pub fn parse(text: &str) -> Result<Self, BadReference> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (
                rest,
                Some(digest.parse().map_err(|_| BadReference::Format)?),
            ),
            None => (text, None),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        let (domain, path) = split_domain(name);
        check_path(name, &path)?;
        check_domain(domain)?;
        if digest.is_none() && tag.is_none() && Digest::from_hex(name).is_ok() {
            return Err(BadReference::Id(name.to_owned()));
        }
        let tag = tag.unwrap_or("latest");
        check_tag(tag)?;
        if domain.len() + 1 + path.len() > 255 {
            return Err(BadReference::TooLong);
        }
        let selector = digest.map_or_else(|| Selector::Tag(tag.to_owned()), Selector::Digest);
        Ok(Self {
            domain: domain.to_owned(),
            path,
            selector,
        })
    }

    /// The registry.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The repository in the registry: `library/busybox`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Tag or digest.
    pub fn selector(&self) -> &Selector {
        &self.selector
    }

    /// The tag, when it is one.
    pub fn tag(&self) -> Option<&str> {
        match &self.selector {
            Selector::Tag(tag) => Some(tag),
            Selector::Digest(_) => None,
        }
    }

    /// The same repository with another tag or digest.
    #[must_use]
    pub fn with(&self, selector: Selector) -> Self {
        Self {
            selector,
            ..self.clone()
        }
    }

    /// The repository as people write it: `busybox`.
    pub fn familiar_name(&self) -> String {
        match (self.domain.as_str(), self.path.strip_prefix("library/")) {
            (DEFAULT_DOMAIN, Some(short)) if !short.contains('/') => short.to_owned(),
            (DEFAULT_DOMAIN, _) => self.path.clone(),
            _ => format!("{}/{}", self.domain, self.path),
        }
    }

    /// The whole name as people write it: `busybox:latest`.
    pub fn familiar(&self) -> String {
        format!("{}{}", self.familiar_name(), self.selector)
    }
}

/// The key in `tags.json`: `docker.io/library/busybox:latest`.
impl Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}", self.domain, self.path, self.selector)
    }
}

impl Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => write!(f, ":{tag}"),
            Self::Digest(digest) => write!(f, "@{digest}"),
        }
    }
}

impl FromStr for Reference {
    type Err = BadReference;

    fn from_str(text: &str) -> Result<Self, BadReference> {
        Self::parse(text)
    }
}

/// The first component is a registry when it looks like a host.
fn split_domain(name: &str) -> (&str, String) {
    let (domain, path) = match name.split_once('/') {
        Some((first, rest)) if looks_like_host(first) => (first, rest),
        _ => (DEFAULT_DOMAIN, name),
    };
    let domain = if domain == "index.docker.io" {
        DEFAULT_DOMAIN
    } else {
        domain
    };
    let bare = domain == DEFAULT_DOMAIN && !path.contains('/');
    (
        domain,
        if bare {
            format!("library/{path}")
        } else {
            path.to_owned()
        },
    )
}

fn looks_like_host(first: &str) -> bool {
    first.contains(['.', ':'])
        || first == "localhost"
        || first.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn check_domain(domain: &str) -> Result<(), BadReference> {
    let (host, port) = domain
        .split_once(':')
        .map_or((domain, None), |(host, port)| (host, Some(port)));
    let label = |label: &str| {
        let word = label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        !label.is_empty() && word && !label.starts_with('-') && !label.ends_with('-')
    };
    let port_is_fine =
        port.is_none_or(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    if host.split('.').all(label) && port_is_fine {
        Ok(())
    } else {
        Err(BadReference::Format)
    }
}

fn check_path(name: &str, path: &str) -> Result<(), BadReference> {
    if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(BadReference::UpperCase(name.to_owned()));
    }
    if path.split('/').all(is_component) {
        Ok(())
    } else {
        Err(BadReference::Format)
    }
}

/// Lower-case letters and digits, separated by `.`, `_`, `__` or any number of `-`.
fn is_component(component: &str) -> bool {
    let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = component.as_bytes();
    if !(bytes.first().is_some_and(alphanumeric) && bytes.last().is_some_and(alphanumeric)) {
        return false;
    }
    bytes
        .split(alphanumeric)
        .filter(|separator| !separator.is_empty())
        .all(|separator| {
            matches!(separator, b"." | b"_" | b"__") || separator.iter().all(|byte| *byte == b'-')
        })
}

fn check_tag(tag: &str) -> Result<(), BadReference> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let start = tag.bytes().next().is_some_and(word);
    let rest = tag
        .bytes()
        .all(|byte| word(byte) || byte == b'.' || byte == b'-');
    if start && rest && tag.len() <= 128 {
        Ok(())
    } else {
        Err(BadReference::Format)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, normal: &str, familiar: &str) {
        let reference = Reference::parse(text).unwrap();
        assert_eq!(reference.to_string(), normal);
        assert_eq!(reference.familiar(), familiar);
    }

    #[test]
    fn names_are_normalised_as_docker_does() {
        check(
            "busybox",
            "docker.io/library/busybox:latest",
            "busybox:latest",
        );
        check(
            "busybox:1.36",
            "docker.io/library/busybox:1.36",
            "busybox:1.36",
        );
        check(
            "docker.io/busybox",
            "docker.io/library/busybox:latest",
            "busybox:latest",
        );
        check(
            "index.docker.io/library/busybox",
            "docker.io/library/busybox:latest",
            "busybox:latest",
        );
        check(
            "quai/machine",
            "docker.io/quai/machine:latest",
            "quai/machine:latest",
        );
        check("localhost/a", "localhost/a:latest", "localhost/a:latest");
        check(
            "localhost:5000/a/b:c",
            "localhost:5000/a/b:c",
            "localhost:5000/a/b:c",
        );
        check(
            "registry.example/x",
            "registry.example/x:latest",
            "registry.example/x:latest",
        );
        check(
            "a__b.c---d",
            "docker.io/library/a__b.c---d:latest",
            "a__b.c---d:latest",
        );
    }

    #[test]
    fn a_digest_wins_over_a_tag() {
        let digest = Digest::of(b"x");
        check(
            &format!("busybox:1@{digest}"),
            &format!("docker.io/library/busybox@{digest}"),
            &format!("busybox@{digest}"),
        );
    }

    #[test]
    fn bad_names_are_refused() {
        let long = "a".repeat(256);
        for bad in [
            "",
            ":x",
            "a:",
            "-a",
            "a-",
            "a//b",
            "/a",
            "a/",
            "a..b",
            "a___b",
            "a b",
            "a:é",
            "../x",
            "a@sha256:1",
            &long,
        ] {
            assert!(Reference::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(
            Reference::parse("Busybox"),
            Err(BadReference::UpperCase("Busybox".into()))
        );
        assert!(
            Reference::parse(&"a".repeat(64)).is_err(),
            "an id is no name"
        );
    }
}
