//! Times for people: `5 seconds ago`, `About an hour`, `2026-11-21 02:20:08 +0000 UTC`.

use jiff::Timestamp;

/// How long, roughly.
pub(crate) fn span(seconds: i64) -> String {
    let minutes = seconds / 60;
    let hours = (seconds + 1800) / 3600;
    match () {
        () if seconds < 1 => "Less than a second".to_owned(),
        () if seconds == 1 => "1 second".to_owned(),
        () if seconds < 60 => format!("{seconds} seconds"),
        () if minutes == 1 => "About a minute".to_owned(),
        () if minutes < 60 => format!("{minutes} minutes"),
        () if hours == 1 => "About an hour".to_owned(),
        () if hours < 48 => format!("{hours} hours"),
        () if hours < 24 * 7 * 2 => format!("{} days", hours / 24),
        () if hours < 24 * 30 * 2 => format!("{} weeks", hours / 24 / 7),
        () if hours < 24 * 365 * 2 => format!("{} months", hours / 24 / 30),
        () => format!("{} years", seconds / 3600 / 24 / 365),
    }
}

/// How long ago a moment was.
pub(crate) fn ago(unix_seconds: i64) -> String {
    let now = Timestamp::now().as_second();
    format!("{} ago", span(now - unix_seconds))
}

/// A moment given in seconds, as Go prints times.
pub(crate) fn moment(unix_seconds: i64) -> String {
    match Timestamp::from_second(unix_seconds) {
        Ok(moment) => go_time(moment),
        Err(_) => unix_seconds.to_string(),
    }
}

/// A moment given as RFC 3339, as Go prints times; what is not a moment is left as it is.
pub(crate) fn moment_of(text: &str) -> String {
    text.parse().map_or_else(|_| text.to_owned(), go_time)
}

/// A moment given as RFC 3339, in seconds.
pub(crate) fn seconds_of(text: &str) -> Option<i64> {
    text.parse::<Timestamp>()
        .ok()
        .map(|moment| moment.as_second())
}

/// A moment given as RFC 3339, as C's `ctime` prints it; what is not a moment is left as it is.
pub(crate) fn c_time(text: &str) -> String {
    match text.parse::<Timestamp>() {
        Ok(moment) => moment.strftime("%a %b %e %H:%M:%S %Y").to_string(),
        Err(_) => text.to_owned(),
    }
}

fn go_time(moment: Timestamp) -> String {
    let text = moment.to_string();
    format!("{} +0000 UTC", text.trim_end_matches('Z').replace('T', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_rough() {
        for (seconds, text) in [
            (0, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "About a minute"),
            (119, "About a minute"),
            (120, "2 minutes"),
            (3600, "About an hour"),
            (7200, "2 hours"),
            (3 * 86_400, "3 days"),
            (21 * 86_400, "3 weeks"),
            (90 * 86_400, "3 months"),
            (3 * 365 * 86_400, "3 years"),
        ] {
            assert_eq!(span(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn moments_as_go_prints_them() {
        assert_eq!(moment(0), "1970-01-01 00:00:00 +0000 UTC");
        assert_eq!(
            moment_of("2026-11-21T02:19:48.959928513Z"),
            "2026-11-21 02:19:48.959928513 +0000 UTC"
        );
        assert_eq!(moment_of("never"), "never");
    }
}
