//! Paths and queries of the API, percent-encoded.

use std::fmt::Write as _;

/// A path with its parameters.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    text: String,
    separator: char,
    /// `X-Registry-Auth`, when the request moves an image.
    registry_auth: Option<String>,
}

impl Query {
    /// A path whose segments are given whole: `["containers", name, "json"]`.
    pub(crate) fn new(segments: &[&str]) -> Self {
        let mut text = String::new();
        for segment in segments {
            text.push('/');
            encode(segment, &mut text);
        }
        Self {
            text,
            separator: '?',
            registry_auth: None,
        }
    }

    /// Adds a parameter.
    pub(crate) fn with(mut self, key: &str, value: &str) -> Self {
        self.text.push(self.separator);
        self.separator = '&';
        self.text.push_str(key);
        self.text.push('=');
        encode(value, &mut self.text);
        self
    }

    /// Adds a parameter that has a value.
    pub(crate) fn with_some(self, key: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// Adds `key=1` when `wanted`: what a switch on the command line means in a query.
    pub(crate) fn with_switch(self, key: &str, wanted: bool) -> Self {
        if wanted { self.with(key, "1") } else { self }
    }

    /// Adds who we are at the registry that the request is about.
    pub(crate) fn with_registry_auth(self, registry_auth: Option<String>) -> Self {
        Self {
            registry_auth,
            ..self
        }
    }

    /// Who we are at the registry that the request is about.
    pub(crate) fn registry_auth(&self) -> Option<&str> {
        self.registry_auth.as_deref()
    }

    /// The whole, as it stands in a request.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

fn encode(text: &str, into: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b':' | b'@' => {
                into.push(byte as char);
            }
            _ => write!(into, "%{byte:02X}").expect("writing to a string cannot fail"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Query;

    #[test]
    fn segments_and_values_are_encoded() {
        let query = Query::new(&["images", "a/b:1", "json"])
            .with("filters", r#"{"a":["b c"]}"#)
            .with_switch("all", true)
            .with_some("x", None);
        assert_eq!(
            query.as_str(),
            "/images/a%2Fb:1/json?filters=%7B%22a%22:%5B%22b%20c%22%5D%7D&all=1"
        );
    }
}
