//! Names of repositories and tags, as they stand in an address.

use crate::oci::Digest;

/// A repository: `a/b/c`, lower case; checked once, safe as a path below a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RepositoryName(String);

/// A tag or a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Selector {
    /// `latest`
    Tag(String),
    /// `sha256:…`
    Digest(Digest),
}

impl RepositoryName {
    /// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/…)*`, at most 255 characters.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let fine = text.len() <= 255 && text.split('/').all(is_component);
        fine.then(|| Self(text.to_owned()))
    }

    /// As it is written.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_component(text: &str) -> bool {
    let word = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let ends = bytes.first().is_some_and(word) && bytes.last().is_some_and(word);
    ends && bytes
        .split(word)
        .filter(|separator| !separator.is_empty())
        .all(|separator| {
            matches!(separator, b"." | b"_" | b"__") || separator.iter().all(|byte| *byte == b'-')
        })
}

impl Selector {
    /// A digest when it looks like one, else a tag.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.contains(':') {
            return text.parse().ok().map(Self::Digest);
        }
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let start = text.bytes().next().is_some_and(word);
        let rest = text
            .bytes()
            .all(|byte| word(byte) || byte == b'.' || byte == b'-');
        (start && rest && text.len() <= 128).then(|| Self::Tag(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_folder() {
        for good in ["a", "a/b", "library/busybox", "a-b_c.d/e--f", "0"] {
            assert!(RepositoryName::parse(good).is_some(), "{good}");
        }
        for bad in [
            "", ".", "..", "a/../b", "/a", "a/", "a//b", "_tags", "a/_tags", "A", "a b", "a%2fb",
        ] {
            assert!(RepositoryName::parse(bad).is_none(), "{bad:?}");
        }
        for bad in ["", ".", "..", "-x", "a/b", "sha256:1", "x y"] {
            assert!(Selector::parse(bad).is_none(), "{bad:?}");
        }
    }
}
