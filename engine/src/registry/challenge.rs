//! `WWW-Authenticate`: which proof a registry asks for; see RFC 9110, section 11.

use std::collections::BTreeMap;

/// Which proof a registry asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Challenge {
    /// None.
    #[default]
    None,
    /// A name and password with each request.
    Basic,
    /// A token that another server gives.
    Bearer {
        /// Its address.
        realm: String,
        /// Whom the token is for.
        service: String,
        /// What it has to allow.
        scope: Option<String>,
    },
}

impl Challenge {
    /// Reads the header's values; `Err` gives a challenge that we cannot answer.
    pub(super) fn parse<'v>(values: impl Iterator<Item = &'v str>) -> Result<Self, String> {
        let mut refused = None;
        let mut basic = false;
        for value in values {
            let (scheme, rest) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
            if scheme.eq_ignore_ascii_case("bearer") {
                let mut parameters = parameters(rest);
                if let Some(realm) = parameters.remove("realm") {
                    return Ok(Self::Bearer {
                        realm,
                        service: parameters.remove("service").unwrap_or_default(),
                        scope: parameters.remove("scope"),
                    });
                }
                refused = Some(value.to_owned());
            } else if scheme.eq_ignore_ascii_case("basic") {
                basic = true;
            } else {
                refused = Some(value.to_owned());
            }
        }
        match (basic, refused) {
            (true, _) => Ok(Self::Basic),
            (false, Some(refused)) => Err(refused.chars().take(200).collect()),
            (false, None) => Ok(Self::None),
        }
    }
}

/// `realm="https://…",service="…"`
fn parameters(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches([' ', ',']).to_ascii_lowercase();
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted_string(quoted),
            None => {
                let (value, after) = after.split_once(',').unwrap_or((after, ""));
                (value.trim().to_owned(), after)
            }
        };
        found.insert(name, value);
        rest = after;
    }
    found
}

fn quoted_string(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => {
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return (value, &text[at + 1..]),
            c => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        let bearer = r#"Bearer realm="https://auth.test/token",service="r.test",scope="repository:a/b:pull,push""#;
        assert_eq!(
            Challenge::parse([bearer].into_iter()),
            Ok(Challenge::Bearer {
                realm: "https://auth.test/token".into(),
                service: "r.test".into(),
                scope: Some("repository:a/b:pull,push".into()),
            })
        );
        assert_eq!(
            Challenge::parse([r#"basic realm="x""#].into_iter()),
            Ok(Challenge::Basic)
        );
        assert_eq!(
            Challenge::parse(["Basic"].into_iter()),
            Ok(Challenge::Basic)
        );
        assert_eq!(Challenge::parse(std::iter::empty()), Ok(Challenge::None));
        for strange in ["Negotiate", "Bearer", "Bearer x", "Bearer realm"] {
            assert!(
                Challenge::parse([strange].into_iter()).is_err(),
                "{strange}"
            );
        }
    }

    #[test]
    fn quotes_and_escapes_end_where_they_should() {
        let found = parameters(r#"realm="a\"b,c" , service=d,scope="#);
        assert_eq!(found["realm"], "a\"b,c");
        assert_eq!(found["service"], "d");
        assert_eq!(found["scope"], "");
    }
}
