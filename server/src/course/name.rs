//! `NN-slug`: the name of a module, a page or an exercise gives its order and its address.

use std::fmt;

/// A parsed name; ordered by place, then slug.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    /// Its place inside its folder.
    pub(crate) place: u32,
    /// Its address.
    pub(crate) slug: String,
}

/// A name that is not `NN-slug`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", web::messages::say("fault.name", &[("name", .0)]))]
pub(crate) struct NameError(String);

impl Name {
    /// Reads a folder's or file's name, without its extension.
    pub(crate) fn parse(text: &str) -> Result<Self, NameError> {
        let refuse = || NameError(text.to_owned());
        let (digits, slug) = text.split_once('-').ok_or_else(refuse)?;
        let place = match digits.len() {
            2 if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().map_err(|_| refuse()),
            _ => Err(refuse()),
        }?;
        let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if slug.is_empty() || !slug.bytes().all(word) {
            return Err(refuse());
        }
        Ok(Self {
            place,
            slug: slug.to_owned(),
        })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}-{}", self.place, self.slug)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_digits_then_a_slug() {
        let name = Name::parse("07-mon-premier-conteneur").unwrap();
        assert_eq!(
            (name.place, name.slug.as_str()),
            (7, "mon-premier-conteneur")
        );
    }

    #[test]
    fn other_names_are_refused() {
        for text in [
            "", "7-a", "007-a", "07", "07-", "07-Été", "07-a/b", "07-a b", "x7-a",
        ] {
            assert!(Name::parse(text).is_err(), "{text}");
        }
    }
}
