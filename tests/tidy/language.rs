//! French lives in content, in the templates and in fr.toml; code, comments and messages are English.

use crate::assert_none;
use crate::source::files;

/// Frequent French words that no English sentence holds.
const WORDS: [&str; 24] = [
    "le", "la", "les", "des", "une", "du", "est", "sont", "vous", "votre", "dans", "avec", "pour",
    "sur", "qui", "que", "ne", "pas", "cette", "aux", "mais", "elle", "nous", "ou",
];

/// A sentence, not a word: one accent and one such word, or three of the words.
fn is_french(line: &str) -> bool {
    let accents = line
        .chars()
        .filter(|c| "àâçéèêëîïôöûùüœÀÂÇÉÈÊËÎÏÔÛÙŒ".contains(*c))
        .count();
    let words = line
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| WORDS.contains(&word.to_lowercase().as_str()))
        .count();
    (accents > 0 && words > 0) || words >= 3
}

#[test]
fn no_rust_file_speaks_french() {
    let mut offences = Vec::new();
    for source in files(&[".rs"]) {
        // These two recognise French: they list its words.
        if ["tests/tidy/language.rs", "labs/src/exercise/lint.rs"].contains(&source.path.as_str()) {
            continue;
        }
        for (index, line) in source.without_tests().lines().enumerate() {
            if is_french(line) {
                offences.push(format!("{}:{}: {}", source.path, index + 1, line.trim()));
            }
        }
    }
    assert_none(
        "French sentences belong to content/, web/templates/ and web/messages/fr.toml",
        offences,
    );
}

#[test]
fn french_is_recognised() {
    assert!(is_french("    println!(\"Quai est prêt : {url}\");"));
    assert!(is_french("// les montages de la machine dans cette étape"));
    assert!(!is_french(
        "// the café example: an accent is not a sentence"
    ));
    assert!(!is_french("let la = 1; // a plain identifier"));
}
