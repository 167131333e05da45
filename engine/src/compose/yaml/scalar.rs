//! What a plain scalar is: Go's `yaml.v3`, which reads YAML 1.2 and the older spellings of numbers.

use serde_json::{Number, Value};

/// A scalar without quotes and without a tag.
pub(super) fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let begins = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+'));
    match begins.then(|| number(text)).flatten() {
        Some(number) => Value::Number(number),
        None => Value::String(text.to_owned()),
    }
}

/// A scalar whose tag (`!!int`) says what it is.
pub(super) fn of_kind(text: &str, kind: &str) -> Result<Value, String> {
    let fits = match kind {
        "str" => return Ok(Value::String(text.to_owned())),
        "null" => return Ok(Value::Null),
        "bool" => plain(text).is_boolean(),
        "int" => plain(text).is_i64() || plain(text).is_u64(),
        "float" => plain(text).is_number(),
        other => return Err(format!("a scalar cannot be a !!{other}")),
    };
    match fits {
        true => Ok(plain(text)),
        false => Err(format!("cannot decode !!str `{text}` as a !!{kind}")),
    }
}

fn number(text: &str) -> Option<Number> {
    let digits = text.replace('_', "");
    let (sign, rest) = match digits.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", digits.strip_prefix('+').unwrap_or(&digits)),
    };
    let (base, whole) = match rest.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &rest[2..]),
        [b'0', b'b' | b'B', ..] => (2, &rest[2..]),
        [b'0', b'o' | b'O', ..] => (8, &rest[2..]),
        [b'0', b'0'..=b'7', ..] => (8, &rest[1..]),
        _ => (10, rest),
    };
    // A second sign would be taken for the number's own.
    if whole.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        if let Ok(whole) = i64::from_str_radix(&format!("{sign}{whole}"), base) {
            return Some(whole.into());
        }
        if sign.is_empty()
            && let Ok(whole) = u64::from_str_radix(whole, base)
        {
            return Some(whole.into());
        }
    }
    let is_decimal = rest
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'-' | b'+'))
        && rest.bytes().any(|b| b.is_ascii_digit())
        && rest.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    match is_decimal {
        true => Number::from_f64(digits.parse().ok()?),
        false => None,
    }
}
