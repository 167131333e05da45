//! `--filter key=value`: what the API wants as `{"key":["value"]}`.

use std::collections::BTreeMap;

use super::super::error::CliError;
use super::super::path::Query;

/// Adds the `filters` parameter to a query, unless there is none.
pub(crate) fn add(query: Query, words: &[String]) -> Result<Query, CliError> {
    let mut filters: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for word in words {
        let Some((key, value)) = word.split_once('=') else {
            return Err(CliError::Said(format!(
                "invalid argument \"{word}\" for \"-f, --filter\" flag: \
                 invalid filter '{word}': filters must be given as key=value"
            )));
        };
        filters
            .entry(key.trim().to_ascii_lowercase())
            .or_default()
            .push(value.trim().to_owned());
    }
    if filters.is_empty() {
        return Ok(query);
    }
    let text = serde_json::to_string(&filters).expect("strings always serialise");
    Ok(query.with("filters", &text))
}
