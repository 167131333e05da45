//! `pull_policy`: when an image is fetched although it may be there.

use super::units;

const HOUR: i64 = 3_600_000_000_000;

/// When an image is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullPolicy {
    /// In any case.
    Always,
    /// When it is not there.
    Missing,
    /// Never.
    Never,
    /// It is built.
    Build,
    /// When it came longer ago than this, in nanoseconds.
    Every(i64),
}

impl PullPolicy {
    /// Reads the word of a file or of `--pull`.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "always" => Self::Always,
            "missing" | "if_not_present" => Self::Missing,
            "never" => Self::Never,
            "build" => Self::Build,
            "refresh" | "daily" => Self::Every(24 * HOUR),
            "weekly" => Self::Every(7 * 24 * HOUR),
            other => Self::Every(period(other.strip_prefix("every_")?)?),
        })
    }
}

/// A duration that may hold days and weeks: `1w2d`.
fn period(text: &str) -> Option<i64> {
    let mut total = 0;
    let mut rest = text;
    for (unit, hours) in [('w', 7 * 24), ('d', 24)] {
        if let Some((count, after)) = rest.split_once(unit) {
            total += count.parse::<i64>().ok()?.checked_mul(hours * HOUR)?;
            rest = after;
        }
    }
    match (rest, total) {
        ("", 1..) => Some(total),
        _ => units::nanoseconds(rest).map(|nanos| total.saturating_add(nanos)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_specification_is_known() {
        for (text, policy) in [
            ("always", PullPolicy::Always),
            ("if_not_present", PullPolicy::Missing),
            ("build", PullPolicy::Build),
            ("weekly", PullPolicy::Every(168 * HOUR)),
            ("every_1w1d", PullPolicy::Every(192 * HOUR)),
            ("every_90m", PullPolicy::Every(HOUR * 3 / 2)),
        ] {
            assert_eq!(PullPolicy::parse(text), Some(policy), "{text}");
        }
        for text in ["foo", "every_", "every_x", ""] {
            assert_eq!(PullPolicy::parse(text), None, "{text}");
        }
    }
}
