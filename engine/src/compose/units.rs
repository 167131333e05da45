//! Sizes (`64m`) and durations (`1m30s`) as Compose files write them.

use serde_json::Value;

/// Bytes: a whole number, or a number with `b`, `k`, `m`, `g` or `t`, a `b` or `ib` behind it allowed.
pub(crate) fn bytes(value: &Value) -> Option<i64> {
    let text = match value {
        Value::Number(number) => return number.as_i64(),
        Value::String(text) => text.trim().to_ascii_lowercase(),
        _ => return None,
    };
    let digits = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let number: f64 = text[..digits].parse().ok()?;
    let factor: i64 = match text[digits..].trim() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        "t" | "tb" | "tib" => 1 << 40,
        _ => return None,
    };
    let bytes = number * factor as f64;
    (bytes.is_finite() && bytes < i64::MAX as f64).then_some(bytes as i64)
}

/// Nanoseconds: numbers with `us`, `ms`, `s`, `m` or `h`, one behind the other; `0` alone is nothing.
pub(crate) fn nanoseconds(text: &str) -> Option<i64> {
    let mut rest = text.trim();
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        total += number
            * match &rest[..letters] {
                "ns" => 1.0,
                "us" | "µs" => 1e3,
                "ms" => 1e6,
                "s" => 1e9,
                "m" => 60e9,
                "h" => 3600e9,
                _ => return None,
            };
        rest = &rest[letters..];
    }
    (total < i64::MAX as f64).then_some(total as i64)
}

/// Microseconds: a number of them, or a duration.
pub(crate) fn microseconds(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text
            .parse()
            .ok()
            .or_else(|| nanoseconds(text).map(|nanos| nanos / 1000)),
        _ => None,
    }
}

/// Permission bits: the number, or a text in base eight.
pub(crate) fn octal(value: &Value) -> Option<u32> {
    match value {
        Value::Number(number) => number
            .as_u64()
            .and_then(|number| u32::try_from(number).ok()),
        Value::String(text) => u32::from_str_radix(text.trim_start_matches("0o"), 8).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sizes_are_powers_of_two() {
        assert_eq!(bytes(&json!("64m")), Some(64 << 20));
        assert_eq!(bytes(&json!("1.5GB")), Some(3 << 29));
        assert_eq!(bytes(&json!(4096)), Some(4096));
        assert_eq!(bytes(&json!("5x")), None);
        assert_eq!(bytes(&json!("-1m")), None);
    }

    #[test]
    fn durations_add_up() {
        assert_eq!(nanoseconds("1m30s"), Some(90_000_000_000));
        assert_eq!(nanoseconds("1.5s"), Some(1_500_000_000));
        assert_eq!(nanoseconds("100ms"), Some(100_000_000));
        assert_eq!(nanoseconds("10"), None);
        assert_eq!(nanoseconds(""), None);
    }
}
