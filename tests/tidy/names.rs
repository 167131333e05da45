//! Files: one noun each, short enough to be read at once.

use crate::assert_none;
use crate::source::files;

const REFUSED: [&str; 8] = [
    "util", "utils", "helpers", "common", "manager", "misc", "shared", "stuff",
];
const LONGEST: usize = 500;

#[test]
fn no_file_is_named_after_nothing() {
    let offences = files(&[".rs", ".ts", ".mjs", ".css", ".html"])
        .into_iter()
        .filter(|source| {
            source
                .path
                .split('/')
                .any(|part| REFUSED.contains(&part.split('.').next().unwrap_or(part)))
        })
        .map(|source| source.path)
        .collect();
    assert_none(
        "a file or folder is named after the one thing it holds",
        offences,
    );
}

#[test]
fn no_file_passes_five_hundred_lines() {
    let offences = files(&[".rs", ".ts", ".mjs", ".css", ".html"])
        .into_iter()
        .map(|source| (source.text.lines().count(), source.path))
        .filter(|(lines, _)| *lines > LONGEST)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    assert_none(
        "past 500 lines a second noun is hiding in the file",
        offences,
    );
}
