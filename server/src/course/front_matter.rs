//! The YAML head of a Markdown file.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use web::messages::say;

use super::fault::Fault;

/// The head of a module's index or of a course page.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Head {
    /// Title, shown by the template.
    pub(crate) title: String,
    /// One sentence.
    #[serde(default)]
    pub(crate) summary: String,
}

/// A file cut in two.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parts<'a> {
    /// The YAML, without its fences.
    pub(crate) yaml: &'a str,
    /// Line of the file on which the YAML begins.
    pub(crate) yaml_line: usize,
    /// The Markdown.
    pub(crate) body: &'a str,
}

/// Cuts a file at its two `---` lines.
pub(crate) fn split<'a>(file: &str, text: &'a str) -> Result<Parts<'a>, Fault> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let Some(rest) = text
        .strip_prefix("---\n")
        .or_else(|| text.strip_prefix("---\r\n"))
    else {
        return Err(Fault::at(file, 1, say("problem.no-front-matter", &[])));
    };
    let mut offset = 0;
    for line in rest.split_inclusive('\n') {
        if line.trim_end() == "---" {
            return Ok(Parts {
                yaml: &rest[..offset],
                yaml_line: 2,
                body: &rest[offset + line.len()..],
            });
        }
        offset += line.len();
    }
    Err(Fault::at(file, 1, say("fault.no-closing-line", &[])))
}

/// Reads the head of a page.
pub(crate) fn head(file: &str, parts: &Parts<'_>) -> Result<Head, Fault> {
    let head: Head = parse(file, parts)?;
    if head.title.trim().is_empty() {
        return Err(Fault::at(file, parts.yaml_line, say("fault.no-title", &[])));
    }
    Ok(head)
}

/// Reads any front matter, saying on which line of the file it is wrong.
pub(crate) fn parse<T: DeserializeOwned>(file: &str, parts: &Parts<'_>) -> Result<T, Fault> {
    serde_saphyr::from_str(parts.yaml).map_err(|error| {
        let line = error.location().map_or(0, |at| at.line() as usize);
        let message = error.without_snippet().to_string();
        Fault::at(
            file,
            (parts.yaml_line + line).saturating_sub(1).max(1),
            say("problem.yaml", &[("message", &message)]),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Head, Fault> {
        head("p.md", &split("p.md", text)?)
    }

    #[test]
    fn title_and_summary() {
        let head = read("---\ntitle: Les pid\nsummary: Un mot.\n---\nCorps\n").unwrap();
        assert_eq!(
            (head.title.as_str(), head.summary.as_str()),
            ("Les pid", "Un mot.")
        );
    }

    #[test]
    fn a_fault_names_its_line() {
        assert_eq!(read("# Titre\n").unwrap_err().line, Some(1));
        assert_eq!(read("---\ntitle: a\n").unwrap_err().line, Some(1));
        let fault = read("---\ntitle: a\nauteur: b\n---\n").unwrap_err();
        assert_eq!(fault.line, Some(3), "{fault}");
        assert!(fault.cause.contains("auteur"), "{fault}");
    }
}
