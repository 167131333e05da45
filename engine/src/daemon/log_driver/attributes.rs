//! Labels and variables of a container that its messages carry.

use std::collections::BTreeMap;

use regex::Regex;

use crate::daemon::DaemonError;
use crate::daemon::container::ContainerRecord;

use super::options::Options;

/// The attributes that the options `labels`, `labels-regex`, `env` and `env-regex` choose.
pub(super) fn chosen(
    options: &Options,
    record: &ContainerRecord,
) -> Result<BTreeMap<String, String>, DaemonError> {
    let variables: BTreeMap<_, _> = record
        .config
        .env
        .iter()
        .filter_map(|variable| variable.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut found = BTreeMap::new();
    for (words, pattern, among) in [
        ("labels", "labels-regex", &record.config.labels),
        ("env", "env-regex", &variables),
    ] {
        for name in options.get(words).iter().flat_map(|text| text.split(',')) {
            if let Some(value) = among.get(name) {
                found.insert(name.to_owned(), value.clone());
            }
        }
        let Some(pattern) = options.get(pattern).filter(|text| !text.is_empty()) else {
            continue;
        };
        let pattern = Regex::new(pattern).map_err(|error| {
            DaemonError::Start(format!("failed to initialize logging driver: {error}"))
        })?;
        let matching = among.iter().filter(|(name, _)| pattern.is_match(name));
        found.extend(matching.map(|(name, value)| (name.clone(), value.clone())));
    }
    Ok(found)
}
