//! HEALTHCHECK.

use super::error::ParseErrorKind;
use super::flags::{Flags, duration};
use super::node::Node;

/// HEALTHCHECK; times in nanoseconds, 0 means inherited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Healthcheck {
    /// `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", line]`.
    pub test: Vec<String>,
    /// Between two checks.
    pub interval: i64,
    /// Of one check.
    pub timeout: i64,
    /// Failures that do not count at the start.
    pub start_period: i64,
    /// Between two checks at the start.
    pub start_interval: i64,
    /// Failures in a row that make it unhealthy.
    pub retries: i64,
}

impl Healthcheck {
    pub(super) fn of(node: &Node) -> Result<Self, ParseErrorKind> {
        let flags = Flags::of(
            node,
            &[
                "interval",
                "timeout",
                "start-period",
                "start-interval",
                "retries",
            ],
            &[],
            &[],
        )?;
        let Some((kind, command)) = node.words.split_first() else {
            return Err(ParseErrorKind::AtLeastOne("HEALTHCHECK"));
        };
        let kind = kind.to_ascii_uppercase();
        if kind == "NONE" {
            if !command.is_empty() {
                return Err(ParseErrorKind::HealthNone);
            }
            return Ok(Self {
                test: vec![kind],
                ..Self::default()
            });
        }
        if kind != "CMD" {
            return Err(ParseErrorKind::HealthType(kind));
        }
        if command.is_empty() {
            return Err(ParseErrorKind::HealthNoCommand);
        }
        let time = |name: &'static str| match flags.text(name) {
            None => Ok(0),
            Some(text) => match duration(&text)? {
                0 => Ok(0),
                nanoseconds if nanoseconds < 1_000_000 => {
                    Err(ParseErrorKind::Interval(name.to_owned()))
                }
                nanoseconds => Ok(nanoseconds),
            },
        };
        let retries = match flags.text("retries") {
            None => 0,
            Some(text) => match text.parse::<i32>() {
                Ok(count) if count >= 0 => i64::from(count),
                _ => return Err(ParseErrorKind::Retries(text)),
            },
        };
        let word = if node.json { "CMD" } else { "CMD-SHELL" };
        Ok(Self {
            test: std::iter::once(word.to_owned())
                .chain(command.iter().cloned())
                .collect(),
            interval: time("interval")?,
            timeout: time("timeout")?,
            start_period: time("start-period")?,
            start_interval: time("start-interval")?,
            retries,
        })
    }
}
