//! `--name=value` words before an instruction's arguments.

use super::error::{ParseErrorKind, closest};
use super::node::Node;

/// The flags of one instruction, each known to it.
#[derive(Debug)]
pub(super) struct Flags {
    given: Vec<(String, Option<String>)>,
}

impl Flags {
    /// Reads the flags of a node; `many` may be repeated, `switches` need no value.
    pub(super) fn of(
        node: &Node,
        known: &[&'static str],
        many: &[&'static str],
        switches: &[&'static str],
    ) -> Result<Self, ParseErrorKind> {
        let mut given: Vec<(String, Option<String>)> = Vec::new();
        for flag in &node.flags {
            let text = flag.trim_start_matches("--");
            let (name, value) = match text.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (text, None),
            };
            let all = || known.iter().chain(many).chain(switches);
            if !all().any(|known| *known == name) {
                let names: Vec<&'static str> = all().copied().collect();
                return Err(ParseErrorKind::UnknownFlag {
                    word: name.to_owned(),
                    closest: closest(name, &names),
                });
            }
            if !many.contains(&name) && given.iter().any(|(other, _)| other == name) {
                return Err(ParseErrorKind::RepeatedFlag(name.to_owned()));
            }
            if value.is_none() && !switches.contains(&name) {
                return Err(ParseErrorKind::NoFlagValue(name.to_owned()));
            }
            given.push((name.to_owned(), value));
        }
        Ok(Self { given })
    }

    /// The value of a flag; an empty one counts as absent.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let found = self.given.iter().find(|(given, _)| given == name)?;
        found.1.clone().filter(|value| !value.is_empty())
    }

    /// All values of a flag.
    pub(super) fn all(&self, name: &str) -> Vec<String> {
        let matching = self.given.iter().filter(|(given, _)| given == name);
        matching.filter_map(|(_, value)| value.clone()).collect()
    }

    /// Whether a switch is on.
    pub(super) fn on(&self, name: &str) -> Result<bool, ParseErrorKind> {
        match self.given.iter().find(|(given, _)| given == name) {
            None => Ok(false),
            Some((_, value)) => match value.as_deref() {
                None | Some("" | "true" | "1") => Ok(true),
                Some("false" | "0") => Ok(false),
                Some(other) => Err(ParseErrorKind::FlagBoolean(
                    name.to_owned(),
                    other.to_owned(),
                )),
            },
        }
    }
}

/// Nanoseconds of Go's notation: `1m30s`, `500ms`, `1.5h`.
pub(super) fn duration(text: &str) -> Result<i64, ParseErrorKind> {
    let bad = |why: String| ParseErrorKind::Duration(why);
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(bad(format!("invalid duration {text:?}")));
    }
    let mut total = 0f64;
    while !rest.is_empty() {
        let end = rest
            .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
            .unwrap_or(rest.len());
        let number: f64 = rest[..end]
            .parse()
            .map_err(|_| bad(format!("invalid duration {text:?}")))?;
        rest = &rest[end..];
        let end = rest
            .find(|letter: char| letter.is_ascii_digit() || letter == '.')
            .unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "" => return Err(bad(format!("missing unit in duration {text:?}"))),
            "ns" => 1f64,
            "us" | "µs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            unit => return Err(bad(format!("unknown unit {unit:?} in duration {text:?}"))),
        };
        total += number * unit;
        rest = &rest[end..];
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the bound is checked just before"
    )]
    if total < 9.2e18 {
        Ok(if negative {
            -(total as i64)
        } else {
            total as i64
        })
    } else {
        Err(bad(format!("invalid duration {text:?}")))
    }
}
