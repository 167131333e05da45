//! `--ulimit nofile=1024:2048`.

use serde_json::{Value, json};

/// The limits of setrlimit(2).
const NAMES: [&str; 16] = [
    "as",
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// One limit as the API wants it.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    let (name, values) = text
        .split_once('=')
        .ok_or_else(|| format!("invalid ulimit argument: {text}"))?;
    if !NAMES.contains(&name) {
        return Err(format!("invalid ulimit type: {name}"));
    }
    let (soft, hard) = values.split_once(':').unwrap_or((values, values));
    let number = |word: &str| -> Result<i64, String> {
        word.parse()
            .map_err(|_| format!("strconv.ParseInt: parsing \"{word}\": invalid syntax"))
    };
    let (soft, hard) = (number(soft)?, number(hard)?);
    if hard != -1 && (soft == -1 || soft > hard) {
        return Err(format!(
            "ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"
        ));
    }
    Ok(json!({ "Name": name, "Soft": soft, "Hard": hard }))
}
