//! Durations as authors write them: `90s`, `12m`, `1h`.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time, written as a number and one of `s`, `m`, `h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

/// A text that is no duration.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no duration: write a number and one of s, m, h, such as 12m")]
pub struct PeriodError(String);

impl Period {
    /// Reads `90s`, `12m` or `1h`.
    pub fn parse(text: &str) -> Result<Self, PeriodError> {
        let refuse = || PeriodError(text.chars().take(40).collect());
        let split = text.len().saturating_sub(1);
        let (number, unit) = text.split_at_checked(split).ok_or_else(refuse)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return Err(refuse()),
        };
        let number: u32 = number.parse().map_err(|_| refuse())?;
        Ok(Self(Duration::from_secs(u64::from(number) * seconds)))
    }

    /// Whole minutes, at least one.
    pub fn minutes(self) -> u64 {
        self.0.as_secs().div_ceil(60).max(1)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            s if s % 3600 == 0 && s > 0 => write!(f, "{}h", s / 3600),
            s if s % 60 == 0 && s > 0 => write!(f, "{}m", s / 60),
            s => write!(f, "{s}s"),
        }
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Period {
    fn schema_name() -> Cow<'static, str> {
        "Period".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]+[smh]$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_back() {
        for text in ["90s", "12m", "1h"] {
            assert_eq!(Period::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "m", "12", "-3m", "12é", "1d", "99999999999h"] {
            assert!(Period::parse(text).is_err(), "{text:?} was accepted");
        }
    }
}
