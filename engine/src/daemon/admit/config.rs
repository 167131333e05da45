//! What runs: directory, variables, signal.

use crate::api::types::ContainerConfig;

use super::super::DaemonError;
use super::super::stop::parse_signal;

/// Checks what the request says about the program.
pub(crate) fn config(config: &ContainerConfig) -> Result<(), DaemonError> {
    let directory = &config.working_dir;
    if !directory.is_empty() && !directory.starts_with('/') {
        return Err(DaemonError::Invalid(format!(
            "the working directory '{directory}' is invalid, it needs to be an absolute path"
        )));
    }
    if !config.stop_signal.is_empty() {
        parse_signal(&config.stop_signal)?;
    }
    variables(&config.env)
}

/// Every variable has a name.
fn variables(env: &[String]) -> Result<(), DaemonError> {
    match env
        .iter()
        .find(|variable| variable.is_empty() || variable.starts_with('='))
    {
        Some(variable) => Err(DaemonError::Invalid(format!(
            "invalid environment variable: {variable}"
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: serde_json::Value, words: &str) {
        let asked: ContainerConfig = serde_json::from_value(json).unwrap();
        let found = config(&asked).map_err(|error| error.to_string());
        assert_eq!(found.err().unwrap_or_default(), words);
    }

    #[test]
    fn the_program_is_described_well() {
        use serde_json::json;
        check(json!({"WorkingDir": "/x", "Env": ["A", "B=", "C=d"]}), "");
        check(json!({"Env": ["=x"]}), "invalid environment variable: =x");
        check(json!({"StopSignal": "FOO"}), "invalid signal: FOO");
        check(
            json!({"WorkingDir": "rel"}),
            "the working directory 'rel' is invalid, it needs to be an absolute path",
        );
    }
}
