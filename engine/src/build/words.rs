//! How history tells a step, in Docker's notation.

use crate::dockerfile::Healthcheck;

/// `["a" "b"]`: Go's `%q` of a list.
pub(super) fn quoted_list(words: &[String]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    format!("[{}]", quoted.join(" "))
}

/// Go's notation of a HEALTHCHECK.
pub(super) fn healthcheck(check: &Healthcheck) -> String {
    let times = [
        check.interval,
        check.timeout,
        check.start_period,
        check.start_interval,
    ];
    let times: Vec<String> = times
        .iter()
        .map(|time| format!("\"{}\"", duration(*time)))
        .collect();
    let retries = u8::try_from(check.retries).unwrap_or(u8::MAX);
    format!(
        "&{{{} {} '\\x{retries:02x}'}}",
        quoted_list(&check.test),
        times.join(" ")
    )
}

/// `1m30s`, as Go prints nanoseconds.
fn duration(nanoseconds: i64) -> String {
    if nanoseconds == 0 {
        return "0s".into();
    }
    let fraction = |value: i64, unit: i64| {
        let text = format!(
            "{}.{:09}",
            value / unit,
            (value % unit) * (1_000_000_000 / unit)
        );
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match nanoseconds {
        ..=999 => format!("{nanoseconds}ns"),
        1_000..=999_999 => format!("{}µs", fraction(nanoseconds, 1_000)),
        1_000_000..=999_999_999 => format!("{}ms", fraction(nanoseconds, 1_000_000)),
        _ => {
            let minutes = nanoseconds / 60_000_000_000;
            let seconds = fraction(nanoseconds % 60_000_000_000, 1_000_000_000);
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{seconds}s"),
                (0, minutes) => format!("{minutes}m{seconds}s"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_gos() {
        for (nanoseconds, text) in [
            (0, "0s"),
            (5_000_000_000, "5s"),
            (90_000_000_000, "1m30s"),
            (3_600_000_000_000, "1h0m0s"),
            (1_500_000, "1.5ms"),
            (2_500_000_000, "2.5s"),
        ] {
            assert_eq!(duration(nanoseconds), text);
        }
    }

    #[test]
    fn a_healthcheck_is_told_as_docker_tells_it() {
        let check = Healthcheck {
            test: vec!["CMD-SHELL".into(), "true".into()],
            interval: 5_000_000_000,
            ..Healthcheck::default()
        };
        assert_eq!(
            healthcheck(&check),
            "&{[\"CMD-SHELL\" \"true\"] \"5s\" \"0s\" \"0s\" \"0s\" '\\x00'}"
        );
    }
}
