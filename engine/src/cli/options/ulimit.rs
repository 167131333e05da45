//! `--ulimit nofile=1024:2048`.

use serde_json::{Value, json};

use super::super::error::CliError;

/// One limit as the API wants it.
pub(crate) fn parse(text: &str) -> Result<Value, CliError> {
    let refuse = |why: &str| {
        CliError::Said(format!(
            "invalid argument \"{text}\" for \"--ulimit\" flag: {why}"
        ))
    };
    let (name, values) = text
        .split_once('=')
        .ok_or_else(|| refuse("invalid ulimit argument: must be name=soft[:hard]"))?;
    let (soft, hard) = values.split_once(':').unwrap_or((values, values));
    let number = |word: &str| -> Result<i64, CliError> {
        word.parse()
            .map_err(|_| refuse(&format!("\"{word}\" is not a number")))
    };
    let (soft, hard) = (number(soft)?, number(hard)?);
    if hard != -1 && (soft == -1 || soft > hard) {
        return Err(refuse(&format!(
            "ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"
        )));
    }
    Ok(json!({ "Name": name, "Soft": soft, "Hard": hard }))
}
