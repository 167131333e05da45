//! Privileges: capabilities and `--security-opt`.

use kernel::capability::Set;

use crate::api::types::HostConfig;

use super::super::DaemonError;

/// Checks the names of capabilities and the form of security options.
pub(super) fn security(host: &HostConfig) -> Result<(), DaemonError> {
    for (field, names) in [("CapAdd", &host.cap_add), ("CapDrop", &host.cap_drop)] {
        for name in names.iter().flatten() {
            let whole = name.to_ascii_uppercase();
            let whole = match whole.as_str() {
                "ALL" => continue,
                name if name.starts_with("CAP_") => name.to_owned(),
                name => format!("CAP_{name}"),
            };
            if Set::of(&whole).is_none() {
                return Err(DaemonError::Invalid(format!(
                    "invalid {field}: unknown capability: \"{whole}\""
                )));
            }
        }
    }
    host.security_opt
        .iter()
        .flatten()
        .try_for_each(|option| security_option(option))
}

fn security_option(option: &str) -> Result<(), DaemonError> {
    if option == "no-new-privileges" {
        return Ok(());
    }
    let Some((key, value)) = option.split_once('=').or_else(|| option.split_once(':')) else {
        return Err(DaemonError::Refused(format!(
            "invalid --security-opt 1: \"{option}\""
        )));
    };
    match key {
        "label" | "apparmor" | "seccomp" => Ok(()),
        "no-new-privileges" if matches!(value, "true" | "false" | "1" | "0") => Ok(()),
        "no-new-privileges" => Err(DaemonError::Refused(format!(
            "invalid --security-opt 2: \"{option}\""
        ))),
        _ => Err(DaemonError::Refused(format!(
            "invalid --security-opt 2: \"{option}\""
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_powers_and_options_are_refused() {
        let with = |add: &str, option: &str| {
            let host = HostConfig {
                cap_add: Some(vec![add.into()]),
                security_opt: Some(vec![option.into()]),
                ..HostConfig::default()
            };
            security(&host).map_err(|error| error.to_string())
        };
        assert_eq!(with("net_admin", "no-new-privileges"), Ok(()));
        assert_eq!(with("ALL", "apparmor=unconfined"), Ok(()));
        assert_eq!(
            with("FOO", "label=disable"),
            Err("invalid CapAdd: unknown capability: \"CAP_FOO\"".into())
        );
        assert_eq!(
            with("KILL", "foo"),
            Err("invalid --security-opt 1: \"foo\"".into())
        );
        assert_eq!(
            with("KILL", "foo=bar"),
            Err("invalid --security-opt 2: \"foo=bar\"".into())
        );
    }
}
