//! The one cookie: a random token that only its hash is kept of.

use axum::http::{HeaderMap, HeaderValue, header};
use sha2::{Digest as _, Sha256};

const NAME: &str = "quai";
/// 128 bits, in hexadecimal.
const LENGTH: usize = 32;

/// A session's secret, as the browser holds it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(String);

/// What the database keeps of a token: reading the database gives nobody a session.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TokenHash(pub(crate) [u8; 32]);

impl Token {
    /// Draws a new token.
    pub(crate) fn draw() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; LENGTH / 2];
        getrandom::fill(&mut bytes)?;
        Ok(Self(
            bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        ))
    }

    /// Reads the token a browser sent, if there is exactly one well-formed.
    pub(crate) fn read(headers: &HeaderMap) -> Option<Self> {
        Self::read_named(NAME, headers)
    }

    /// The same for a cookie of another name.
    pub(crate) fn read_named(name: &str, headers: &HeaderMap) -> Option<Self> {
        let mut found = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='));
        let (value, None) = (found.next()?, found.next()) else {
            return None;
        };
        Self::parse(value)
    }

    /// Reads a token's digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let well_formed = text.len() == LENGTH && text.bytes().all(|b| b.is_ascii_hexdigit());
        well_formed.then(|| Self(text.to_owned()))
    }

    /// Its digits.
    pub(crate) fn into_text(self) -> String {
        self.0
    }

    /// What is stored of it.
    pub(crate) fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.0.as_bytes()).into())
    }

    /// The `Set-Cookie` line: unreadable by scripts, never sent along with another site's request.
    pub(crate) fn set_cookie(&self) -> HeaderValue {
        let line = format!(
            "{NAME}={}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Strict",
            self.0
        );
        HeaderValue::from_str(&line).expect("hexadecimal digits are header text")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn read(line: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, line.parse().unwrap());
        Token::read(&headers).map(|token| token.0)
    }

    #[test]
    fn only_one_well_formed_token_is_read() {
        let token = "0123456789abcdef0123456789abcdef";
        assert_eq!(read(&format!("a=b; quai={token}")).as_deref(), Some(token));
        assert_eq!(read(&format!("quai={token}; quai={token}")), None);
        assert_eq!(read("quai=short"), None);
        assert_eq!(read(&format!("quaix={token}")), None);
    }

    #[test]
    fn the_cookie_is_out_of_reach_of_scripts_and_sites() {
        let line = Token::draw().unwrap().set_cookie();
        let line = line.to_str().unwrap();
        assert!(line.contains("; HttpOnly"), "{line}");
        assert!(line.contains("; SameSite=Strict"), "{line}");
    }
}
