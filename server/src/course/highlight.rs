//! Code → HTML with classes: colours live in the style sheet, because inline styles are forbidden.

use std::sync::LazyLock;

use syntect::html::{ClassStyle, ClassedHTMLGenerator};
use syntect::parsing::{SyntaxReference, SyntaxSet};
use syntect::util::LinesWithEndings;

static SYNTAXES: LazyLock<SyntaxSet> = LazyLock::new(SyntaxSet::load_defaults_newlines);

/// What a fence says about its code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fence {
    /// Language, lower case; empty when none is said.
    pub(crate) language: String,
    /// Whether the learner may send it to the terminal.
    pub(crate) run: Run,
}

/// What can be done with a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Run {
    /// It may be typed into the terminal.
    Offered,
    /// It is only read.
    No,
}

impl Fence {
    /// Reads the words after the three backquotes.
    pub(crate) fn parse(info: &str) -> Self {
        let mut words = info.split_whitespace();
        let language = words.next().unwrap_or_default().to_ascii_lowercase();
        let run = if words.any(|word| word == "run") {
            Run::Offered
        } else {
            Run::No
        };
        Self { language, run }
    }
}

/// Renders a block; its HTML is escaped and uses `hl-` classes only.
pub(crate) fn block(fence: &Fence, code: &str) -> String {
    let inner = match (fence.language.as_str(), fence.run) {
        ("console", Run::No) => transcript(code),
        ("console", Run::Offered) => coloured("bash", code),
        ("dockerfile", _) => dockerfile(code),
        (language, _) => coloured(language, code),
    };
    let run = match fence.run {
        Run::Offered => " data-run=\"\"",
        Run::No => "",
    };
    let language: String = fence
        .language
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    format!(
        "<pre class=\"code code-{language}\"{run}><code>{inner}</code></pre>\n",
        language = if language.is_empty() {
            "text"
        } else {
            &language
        },
    )
}

fn coloured(language: &str, code: &str) -> String {
    let Some(syntax) = syntax(language) else {
        return escape(code);
    };
    let style = ClassStyle::SpacedPrefixed { prefix: "hl-" };
    let mut generator = ClassedHTMLGenerator::new_with_class_style(syntax, &SYNTAXES, style);
    for line in LinesWithEndings::from(code) {
        if generator
            .parse_html_for_line_which_includes_newline(line)
            .is_err()
        {
            return escape(code);
        }
    }
    generator.finalize()
}

fn syntax(language: &str) -> Option<&'static SyntaxReference> {
    match language {
        "" | "text" | "txt" => None,
        other => SYNTAXES.find_syntax_by_token(other),
    }
}

/// A transcript: what follows a prompt is a command, the rest is what it printed.
fn transcript(code: &str) -> String {
    let mut out = String::new();
    for line in LinesWithEndings::from(code) {
        match line.split_at_checked(2) {
            Some((prompt @ ("$ " | "# "), command)) => {
                out.push_str(&format!("<span class=\"hl-prompt\">{prompt}</span>"));
                out.push_str(&coloured("bash", command));
            }
            _ => out.push_str(&format!(
                "<span class=\"hl-output\">{}</span>",
                escape(line)
            )),
        }
    }
    out
}

/// Instructions of a Dockerfile, which the embedded grammars do not know.
fn dockerfile(code: &str) -> String {
    let mut out = String::new();
    for line in LinesWithEndings::from(code) {
        let word: String = line.chars().take_while(char::is_ascii_uppercase).collect();
        if line.starts_with('#') {
            out.push_str(&format!(
                "<span class=\"hl-comment\">{}</span>",
                escape(line)
            ));
        } else if word.len() > 1 && line[word.len()..].starts_with(' ') {
            let rest = escape(&line[word.len()..]);
            out.push_str(&format!("<span class=\"hl-keyword\">{word}</span>{rest}"));
        } else {
            out.push_str(&escape(line));
        }
    }
    out
}

/// Text as HTML.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            _ => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_escaped_in_every_language() {
        for info in [
            "",
            "sh",
            "console",
            "console run",
            "dockerfile",
            "yaml",
            "inconnu",
        ] {
            let html = block(&Fence::parse(info), "<script>alert(1)</script>\n");
            assert!(!html.contains("<script"), "{info}: {html}");
        }
    }

    #[test]
    fn a_transcript_tells_commands_from_their_output() {
        let html = block(&Fence::parse("console"), "$ echo a\na\n");
        assert!(
            html.contains("<span class=\"hl-prompt\">$ </span>"),
            "{html}"
        );
        assert!(
            html.contains("<span class=\"hl-output\">a\n</span>"),
            "{html}"
        );
    }

    #[test]
    fn only_marked_blocks_may_be_run() {
        assert!(block(&Fence::parse("console run"), "ls\n").contains("data-run"));
        assert!(!block(&Fence::parse("sh"), "ls\n").contains("data-run"));
    }

    #[test]
    fn a_language_cannot_break_out_of_its_class() {
        let html = block(&Fence::parse("a\"><b"), "x");
        assert!(html.contains("code code-ab\""), "{html}");
    }
}
