//! One logical line becomes words: flags, JSON lists, `name=value` pairs, plain words.

use super::error::ParseErrorKind;
use super::lexer::Heredoc;

/// What separates plain words.
pub(super) fn is_blank(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\x0b' | '\x0c' | '\r')
}

/// The keyword, the leading `--flags`, and the rest of the line.
pub(super) fn split_command(line: &str) -> (&str, Vec<String>, &str) {
    let line = line.trim();
    let Some(end) = line.find(is_blank) else {
        return (line, Vec::new(), "");
    };
    let (flags, rest) = split_flags(line[end..].trim_start());
    (&line[..end], flags, rest.trim())
}

/// Takes `--flag` words; `--` ends them. Quotes and backslashes in them are removed.
fn split_flags(mut text: &str) -> (Vec<String>, &str) {
    let mut flags = Vec::new();
    loop {
        text = text.trim_start();
        if !text.starts_with("--") {
            return (flags, text);
        }
        let (mut word, mut quote, mut end) = (String::new(), None, text.len());
        let mut letters = text.char_indices();
        while let Some((at, letter)) = letters.next() {
            match (letter, quote) {
                ('\\', _) => word.extend(letters.next().map(|(_, letter)| letter)),
                (mark @ ('"' | '\''), None) => quote = Some(mark),
                (mark, Some(open)) if mark == open => quote = None,
                (space, None) if space.is_whitespace() => {
                    end = at;
                    break;
                }
                (other, _) => word.push(other),
            }
        }
        text = &text[end..];
        if word == "--" {
            return (flags, text);
        }
        flags.push(word);
    }
}

/// Plain words.
pub(super) fn split_plain(text: &str) -> Vec<String> {
    text.split(is_blank)
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// A JSON list of strings, if the text begins with one; what follows the list is ignored, as Docker does.
pub(super) fn split_json(text: &str) -> Result<Option<Vec<String>>, ParseErrorKind> {
    let text = text.trim_start();
    if !text.starts_with('[') {
        return Ok(None);
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Vec<serde_json::Value>>();
    let Some(Ok(list)) = values.next() else {
        return Ok(None);
    };
    let strings = list.into_iter().map(|item| match item {
        serde_json::Value::String(text) => Ok(text),
        _ => Err(ParseErrorKind::NotStrings),
    });
    strings.collect::<Result<_, _>>().map(Some)
}

/// Words separated by blanks, with their quotes and escapes kept; a quoted blank separates nothing.
pub(super) fn split_quoted(text: &str, escape: char) -> Vec<String> {
    let (mut words, mut word, mut open, mut quote) = (Vec::new(), String::new(), false, None);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if quote.is_none() && letter.is_whitespace() {
            if open {
                words.push(std::mem::take(&mut word));
                open = false;
            }
            continue;
        }
        if letter == escape && quote != Some('\'') {
            // An escape at the very end stands for nothing.
            if let Some(next) = letters.next() {
                word.push(letter);
                word.push(next);
                open = true;
            }
            continue;
        }
        match quote {
            None if matches!(letter, '"' | '\'') => quote = Some(letter),
            Some(mark) if mark == letter => quote = None,
            _ => {}
        }
        word.push(letter);
        open = true;
    }
    if open {
        words.push(word);
    }
    words
}

/// `name=value …` as name, value, `=`; the older `name value` as name, value, nothing.
pub(super) fn split_pairs(
    text: &str,
    escape: char,
    name: &'static str,
) -> Result<Vec<(String, String, &'static str)>, ParseErrorKind> {
    let words = split_quoted(text, escape);
    let Some(first) = words.first() else {
        return Ok(Vec::new());
    };
    if !first.contains('=') {
        let (key, value) = text
            .split_once(is_blank)
            .ok_or(ParseErrorKind::TwoArguments(name))?;
        return Ok(vec![(
            key.to_owned(),
            value.trim_start_matches(is_blank).to_owned(),
            "",
        )]);
    }
    words
        .iter()
        .map(|word| match word.split_once('=') {
            Some((key, value)) => Ok((key.to_owned(), value.to_owned(), "=")),
            None => Err(ParseErrorKind::NoEquals(word.clone())),
        })
        .collect()
}

/// Words of a line in which here-documents are looked for; quotes are kept.
pub(super) fn split_heredoc_words(text: &str, escape: char) -> Vec<String> {
    split_quoted(text, escape)
}

/// `3<<-"EOF"`: what kind of here-document a word begins.
pub(super) fn heredoc_of(word: &str) -> Option<Heredoc> {
    let rest = word
        .trim_start_matches(|letter: char| letter.is_ascii_digit())
        .strip_prefix("<<")?;
    let (chomp, rest) = match rest.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    if rest.is_empty() || rest.contains('<') {
        return None;
    }
    let quoted = rest.contains(['"', '\'', '\\']);
    let name: String = rest
        .chars()
        .filter(|letter| !matches!(letter, '"' | '\'' | '\\'))
        .collect();
    (!name.is_empty()).then(|| Heredoc {
        name,
        content: String::new(),
        expand: !quoted,
        chomp,
        written: word.to_owned(),
    })
}
