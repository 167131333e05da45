//! Sizes: `64m`, `1.5g`, `-1`.

/// Bytes in `text`, by powers of 1024; `None` when it is no size.
pub(crate) fn parse(text: &str) -> Option<i64> {
    if text == "-1" {
        return Some(-1);
    }
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = lower[digits.len()..]
        .trim_end_matches("ib")
        .trim_end_matches('b');
    let factor: f64 = match unit {
        "" => 1.0,
        "k" => 1024.0,
        "m" => 1024.0 * 1024.0,
        "g" => 1024.0 * 1024.0 * 1024.0,
        "t" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        "p" => 1024.0 * 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    let number: f64 = digits.trim().parse().ok()?;
    (number >= 0.0 && number.is_finite()).then_some((number * factor) as i64)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn units_are_powers_of_1024() {
        assert_eq!(parse("64m"), Some(64 << 20));
        assert_eq!(parse("1.5GiB"), Some(3 << 29));
        assert_eq!(parse("10KB"), Some(10_240));
        assert_eq!(parse("12"), Some(12));
        assert_eq!(parse("-1"), Some(-1));
        assert_eq!(parse("abc"), None);
        assert_eq!(parse("-5m"), None);
        assert_eq!(parse(""), None);
    }
}
