//! Moments: RFC 3339, a date, seconds since 1970, or how long ago (`42m`).

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::super::error::CliError;
use super::duration;

/// The moment as the API wants it: seconds since 1970, with nanoseconds.
pub(crate) fn parse(text: &str) -> Result<String, CliError> {
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return Ok(text.to_owned());
    }
    let ago = text.strip_prefix('-').unwrap_or(text);
    if let Some(nanos) = duration::parse(ago) {
        let then = Timestamp::now().as_nanosecond() - i128::from(nanos);
        return Ok(seconds(then));
    }
    let civil = |moment: DateTime| {
        moment
            .to_zoned(TimeZone::UTC)
            .map(|zoned| zoned.timestamp())
    };
    let moment = text
        .parse::<Timestamp>()
        .or_else(|_| text.parse::<DateTime>().and_then(civil))
        .or_else(|_| {
            text.parse::<Date>()
                .and_then(|date| civil(date.at(0, 0, 0, 0)))
        });
    match moment {
        Ok(moment) => Ok(seconds(moment.as_nanosecond())),
        Err(_) => Err(CliError::Said(format!(
            "failed to parse value as time or duration: {text:?}"
        ))),
    }
}

fn seconds(nanos: i128) -> String {
    format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn every_form_becomes_seconds() {
        assert_eq!(
            parse("2013-01-02T13:23:37Z").unwrap(),
            "1357133017.000000000"
        );
        assert_eq!(
            parse("2013-01-02T13:23:37.5+01:00").unwrap(),
            "1357129417.500000000"
        );
        assert_eq!(parse("2013-01-02").unwrap(), "1357084800.000000000");
        assert_eq!(parse("1136073845").unwrap(), "1136073845");
        assert!(parse("42m").is_ok());
        assert!(parse("yesterday").is_err());
    }
}
