//! What `$name` means at one point of a stage: ENV first, then ARG.

use std::collections::BTreeMap;

use crate::dockerfile::Expander;

use super::{BuildError, Platform};

/// Arguments that need no ARG, and that neither history nor cache knows.
pub(super) const PREDEFINED: [&str; 12] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "FTP_PROXY",
    "ftp_proxy",
    "NO_PROXY",
    "no_proxy",
    "ALL_PROXY",
    "all_proxy",
    "SOURCE_DATE_EPOCH",
    "BUILDKIT_INLINE_CACHE",
];

/// Arguments in scope.
#[derive(Clone, Debug, Default)]
pub(super) struct Arguments {
    /// Those with a value, by name.
    values: BTreeMap<String, String>,
}

impl Arguments {
    /// The arguments that are there without ARG before the first FROM.
    pub(super) fn automatic(platform: &Platform, target: Option<&str>) -> Self {
        let own = Platform::own();
        let mut values = BTreeMap::new();
        for (side, platform) in [("TARGET", platform), ("BUILD", &own)] {
            values.insert(format!("{side}PLATFORM"), platform.to_string());
            values.insert(format!("{side}OS"), platform.os.clone());
            values.insert(format!("{side}ARCH"), platform.architecture.clone());
            values.insert(format!("{side}VARIANT"), platform.variant.clone());
        }
        values.insert("TARGETSTAGE".into(), target.unwrap_or("default").to_owned());
        Self { values }
    }

    /// Sets one; without a value it is declared only.
    pub(super) fn set(&mut self, name: &str, value: Option<String>) {
        if let Some(value) = value {
            self.values.insert(name.to_owned(), value);
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&String> {
        self.values.get(name)
    }

    /// `name=value`, sorted.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&String, &String)> {
        self.values.iter()
    }
}

/// Expands one word.
pub(super) fn expand(
    text: &str,
    escape: char,
    env: &[String],
    arguments: &Arguments,
) -> Result<String, BuildError> {
    with(escape, env, arguments, text, |expander| expander.word(text))
}

/// Expands to any number of words.
pub(super) fn expand_words(
    text: &str,
    escape: char,
    env: &[String],
    arguments: &Arguments,
) -> Result<Vec<String>, BuildError> {
    with(escape, env, arguments, text, |expander| {
        expander.words(text)
    })
}

/// Expands a here-document: quotes in it are text.
pub(super) fn expand_text(
    text: &str,
    escape: char,
    env: &[String],
    arguments: &Arguments,
) -> Result<String, BuildError> {
    with(escape, env, arguments, text, |expander| expander.text(text))
}

fn with<T>(
    escape: char,
    env: &[String],
    arguments: &Arguments,
    text: &str,
    work: impl FnOnce(Expander<'_>) -> Result<T, crate::dockerfile::ExpandError>,
) -> Result<T, BuildError> {
    let lookup = |name: &str| {
        let set = env.iter().find_map(|pair| {
            let (known, value) = pair.split_once('=')?;
            (known == name).then(|| value.to_owned())
        });
        set.or_else(|| arguments.get(name).cloned())
    };
    work(Expander {
        escape,
        lookup: &lookup,
    })
    .map_err(|source| BuildError::Expand {
        text: text.to_owned(),
        source,
    })
}
