//! The house rules that a machine can check: who imports whom, names, sizes, language.
//!
//! The layers of `engine` are read from ARCHITECTURE.md: a new arrow changes that page first.

mod source;

mod arrows;
mod headers;
mod language;
mod layers;
mod names;

/// Fails with every offence at once, so that one run is enough to mend them all.
#[track_caller]
fn assert_none(rule: &str, offences: Vec<String>) {
    assert!(offences.is_empty(), "{rule}\n  {}\n", offences.join("\n  "));
}
