//! `--secret id=x,src=FILE` and `id=x,env=NAME`.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::cli::error::CliError;

/// Bytes of all secrets together: they travel in a header.
const LIMIT: usize = 48 << 10;

/// The header that carries the secrets; none when there are none.
pub(crate) fn header(options: &[String]) -> Result<Option<String>, CliError> {
    if options.is_empty() {
        return Ok(None);
    }
    let mut secrets = BTreeMap::new();
    let mut total = 0;
    for option in options {
        let (id, value) = read(option)?;
        total += value.len();
        secrets.insert(id, STANDARD.encode(value));
    }
    if total > LIMIT {
        return Err(CliError::Said(format!(
            "secrets have {total} bytes together, more than the {LIMIT} allowed"
        )));
    }
    let document = serde_json::to_vec(&secrets).expect("strings always become JSON");
    Ok(Some(STANDARD.encode(document)))
}

fn read(option: &str) -> Result<(String, Vec<u8>), CliError> {
    let bad = |why: &str| CliError::Said(format!("could not parse secrets: [{option}]: {why}"));
    let (mut id, mut source, mut variable) = (None, None, None);
    for word in option.split(',') {
        match word.split_once('=') {
            Some(("id", value)) => id = Some(value.to_owned()),
            Some(("src" | "source", value)) => source = Some(value.to_owned()),
            Some(("env", value)) => variable = Some(value.to_owned()),
            Some(("type", "file" | "env")) => {}
            Some((key, _)) => return Err(bad(&format!("unexpected key '{key}'"))),
            None => {
                return Err(bad(&format!(
                    "invalid field '{word}' must be a key=value pair"
                )));
            }
        }
    }
    let id = id.ok_or_else(|| bad("secret missing id"))?;
    let variable = variable.or_else(|| {
        source
            .is_none()
            .then(|| id.clone())
            .filter(|id| std::env::var_os(id).is_some())
    });
    if let Some(name) = variable {
        let value =
            std::env::var(&name).map_err(|_| bad(&format!("variable {name} is not set")))?;
        return Ok((id, value.into_bytes()));
    }
    let path = source.unwrap_or_else(|| id.clone());
    let value = std::fs::read(&path).map_err(|source| CliError::File {
        what: "open",
        path,
        source,
    })?;
    Ok((id, value))
}
