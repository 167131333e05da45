//! The files of the repository.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold what was fetched or built.
const SKIPPED: [&str; 5] = [".git", "target", "node_modules", "dist", ".claude"];

/// One file, its path relative to the top of the repository.
pub(crate) struct Source {
    /// Relative to the top, with `/`.
    pub(crate) path: String,
    /// Its content.
    pub(crate) text: String,
}

/// The top of the repository.
pub(crate) fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate lies in the repository")
        .to_path_buf()
}

/// Every text file whose name ends with one of `endings`, in the order of paths.
pub(crate) fn files(endings: &[&str]) -> Vec<Source> {
    let top = top();
    let mut found = Vec::new();
    walk(&top, &mut |path| {
        let relative = path.strip_prefix(&top).expect("walked from the top");
        let relative = relative.to_str().expect("our names are UTF-8");
        if endings.iter().any(|ending| relative.ends_with(ending)) {
            let text = fs::read_to_string(path)
                .unwrap_or_else(|error| panic!("cannot read {relative}: {error}"));
            found.push(Source {
                path: relative.to_owned(),
                text,
            });
        }
    });
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(
        !found.is_empty(),
        "no file ends with {endings:?}: the walk itself is broken"
    );
    found
}

fn walk(folder: &Path, visit: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(folder).expect("a folder of the repository can be read") {
        let entry = entry.expect("its entries too");
        let name = entry.file_name();
        let kind = entry.file_type().expect("the type of an entry is known");
        if kind.is_dir() && !SKIPPED.iter().any(|skipped| name == *skipped) {
            walk(&entry.path(), visit);
        } else if kind.is_file() {
            visit(&entry.path());
        }
    }
}

impl Source {
    /// The lines of code, numbered from 1, without comments. Strings are kept: a path in one is harmless.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// The same file up to its unit tests: they may show what the code itself may not contain.
    pub(crate) fn without_tests(&self) -> &str {
        if self.path.ends_with("/tests.rs") || self.path.contains("/tests/") {
            return "";
        }
        self.text.split("#[cfg(test)]").next().unwrap_or_default()
    }
}
