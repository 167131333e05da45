//! Values as Go prints them: `[a b]`, `map[k:v]`, `<no value>`.

use serde_json::Value;

/// A value as an action prints it.
pub(super) fn display(value: &Value) -> String {
    match value {
        Value::Null => "<no value>".to_owned(),
        other => inner(other),
    }
}

/// A value inside another one, or as an argument of `print`.
pub(super) fn inner(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(yes) => yes.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(inner).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(fields) => {
            // The API spells the fields of its structures with a capital, the keys of maps rarely.
            let upper = |key: &String| key.starts_with(|c: char| c.is_ascii_uppercase());
            if !fields.is_empty() && fields.keys().all(upper) {
                let values: Vec<String> = fields.values().map(inner).collect();
                return format!("{{{}}}", values.join(" "));
            }
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(key, _)| key.as_str());
            let fields: Vec<String> = fields
                .into_iter()
                .map(|(key, value)| format!("{key}:{}", inner(value)))
                .collect();
            format!("map[{}]", fields.join(" "))
        }
    }
}

/// Whether Go's `if` takes a value for true.
pub(super) fn truth(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(yes) => *yes,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

/// A row as JSON: sorted keys, and `<`, `>`, `&` escaped, as Docker prints its rows.
pub(super) fn row_json(value: &Value) -> String {
    let text = match value {
        Value::Object(fields) => {
            let sorted: std::collections::BTreeMap<_, _> = fields.iter().collect();
            serde_json::to_string(&sorted).expect("JSON values always serialise")
        }
        other => other.to_string(),
    };
    text.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
}
