//! Hooks, and what they are told.

use super::{BundleError, Wish};
use crate::oci::runtime_spec::{self, Spec};
use crate::runtime::hooks::{Hook, Hooks, Subject};

/// The hooks of a bundle.
pub(super) fn plan(spec: &Spec, wish: &Wish) -> Result<Hooks, BundleError> {
    let subject = subject(spec, wish);
    let Some(hooks) = spec.hooks() else {
        return Ok(Hooks {
            subject,
            ..Hooks::default()
        });
    };
    Ok(Hooks {
        prestart: list(hooks.prestart())?,
        create_runtime: list(hooks.create_runtime())?,
        create_container: list(hooks.create_container())?,
        start_container: list(hooks.start_container())?,
        poststart: list(hooks.poststart())?,
        poststop: list(hooks.poststop())?,
        subject,
    })
}

/// What does not change in a container's state.
pub(crate) fn subject(spec: &Spec, wish: &Wish) -> Subject {
    let annotations = spec.annotations().clone().unwrap_or_default();
    Subject {
        oci_version: spec.version().clone(),
        id: wish.id.clone(),
        bundle: wish.bundle.clone(),
        annotations: annotations.into_iter().collect(),
    }
}

fn list(hooks: &Option<Vec<runtime_spec::Hook>>) -> Result<Vec<Hook>, BundleError> {
    hooks.iter().flatten().map(hook).collect()
}

fn hook(hook: &runtime_spec::Hook) -> Result<Hook, BundleError> {
    if !hook.path().is_absolute() {
        return Err(BundleError::Invalid {
            what: "hook path",
            value: hook.path().to_string_lossy().into_owned(),
        });
    }
    let timeout = match hook.timeout() {
        None => None,
        Some(seconds) => match u64::try_from(seconds) {
            Ok(seconds) if seconds > 0 => Some(seconds),
            _ => {
                return Err(BundleError::Invalid {
                    what: "hook timeout",
                    value: seconds.to_string(),
                });
            }
        },
    };
    Ok(Hook {
        path: hook.path().clone(),
        args: hook.args().clone().unwrap_or_default(),
        env: hook.env().clone().unwrap_or_default(),
        timeout,
    })
}
