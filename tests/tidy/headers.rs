//! Folders are introduced by a paragraph, scripts by a line that says what they do.

use crate::assert_none;
use crate::source::files;

#[test]
fn every_folder_is_introduced() {
    let offences = files(&["/mod.rs", "/lib.rs", "/main.rs"])
        .into_iter()
        .filter(|source| !source.text.starts_with("//! "))
        .map(|source| source.path)
        .collect();
    assert_none(
        "mod.rs, lib.rs and main.rs begin with a `//!` paragraph",
        offences,
    );
}
