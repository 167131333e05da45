//! What differs from run to run, made equal: ids, moments, ages, addresses and places.

/// Makes text of one run comparable with that of another.
pub(crate) fn normal(text: &str, places: &[(String, &str)]) -> String {
    let mut text = text.to_owned();
    for (place, name) in places {
        text = text.replace(place, name);
    }
    // The real client itself cannot spell this word.
    let text = text.replace("SRun '", "Run '");
    let lines = text
        .lines()
        // Its log of what it could not send, which comes or not by chance.
        .filter(|line| !line.starts_with("time=\""))
        .map(line);
    lines.collect::<Vec<_>>().join("\n")
}

fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let before = out.chars().next_back();
        let found = moment(rest)
            .map(|length| (length, "<TIME>".to_owned()))
            .or_else(|| id(rest, before))
            .or_else(|| age(rest, before))
            .or_else(|| address(rest, before));
        match found {
            Some((length, name)) => {
                out.push_str(&name);
                rest = &rest[length..];
            }
            None => {
                let c = rest.chars().next().expect("it is not empty");
                out.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    squeezed(&out)
}

/// Columns are as wide as what is in them: how wide is the unit tests' business.
fn squeezed(text: &str) -> String {
    let indent = text.len() - text.trim_start_matches(' ').len();
    let (head, tail) = text.split_at(indent);
    let mut out = head.to_owned();
    let mut spaces = 0;
    for c in tail.chars() {
        if c == ' ' {
            spaces += 1;
            continue;
        }
        out.push_str(&" ".repeat(spaces.min(2)));
        spaces = 0;
        out.push(c);
    }
    out.trim_end().to_owned()
}

/// `2026-11-21T02:20:08.880605108Z` or `2026-11-21 02:20:08 +0000 UTC`
fn moment(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let shape = b"dddd-dd-ddTdd:dd:dd";
    if bytes.len() < shape.len() {
        return None;
    }
    let fits = shape.iter().zip(bytes).all(|(want, have)| match want {
        b'd' => have.is_ascii_digit(),
        b'T' => matches!(have, b'T' | b' '),
        want => want == have,
    });
    if !fits {
        return None;
    }
    let mut at = shape.len();
    if bytes.get(at) == Some(&b'.') {
        at += 1;
        at += bytes[at..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
    }
    for zone in ["Z", " +0000 UTC", "+00:00"] {
        if text[at..].starts_with(zone) {
            return Some(at + zone.len());
        }
    }
    None
}

/// The whole id of an object, or its twelve first digits.
fn id(text: &str, before: Option<char>) -> Option<(usize, String)> {
    if before.is_some_and(|c| c.is_ascii_alphanumeric()) {
        return None;
    }
    let word = text.bytes().take_while(u8::is_ascii_alphanumeric).count();
    let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    let digits = &text.as_bytes()[..word];
    let fits = matches!(word, 12 | 64)
        && digits.iter().copied().all(hex)
        && digits.iter().any(u8::is_ascii_digit);
    fits.then(|| (word, "x".repeat(word)))
}

/// `3 seconds`, when `ago` follows or `Up` stands before.
fn age(text: &str, before: Option<char>) -> Option<(usize, String)> {
    if before.is_some_and(|c| c.is_alphanumeric()) {
        return None;
    }
    if let Some(rest) = text.strip_prefix("Up ") {
        return span(rest).map(|length| (3 + length, "Up <AGE>".to_owned()));
    }
    let length = span(text)?;
    text[length..]
        .starts_with(" ago")
        .then(|| (length, "<AGE>".to_owned()))
}

fn span(text: &str) -> Option<usize> {
    for words in ["About a minute", "About an hour", "Less than a second"] {
        if text.starts_with(words) {
            return Some(words.len());
        }
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let rest = text[digits..].strip_prefix(' ')?;
    if digits == 0 {
        return None;
    }
    ["second", "minute", "hour", "day", "week", "month", "year"]
        .iter()
        .find(|unit| rest.starts_with(**unit))
        .map(|unit| {
            let plural = usize::from(rest[unit.len()..].starts_with('s'));
            digits + 1 + unit.len() + plural
        })
}

/// An address of a default network.
fn address(text: &str, before: Option<char>) -> Option<(usize, String)> {
    if before.is_some_and(|c| c.is_alphanumeric() || c == '.') || !text.starts_with("172.") {
        return None;
    }
    let length = text
        .bytes()
        .take_while(|byte| byte.is_ascii_digit() || *byte == b'.')
        .count();
    (text[..length].split('.').count() == 4).then(|| (length, "<IP>".to_owned()))
}

#[test]
fn what_changes_is_made_equal() {
    let check = |given: &str, expected: &str| assert_eq!(normal(given, &[]), expected);
    check("a3f5c1e2b4d6   web  ", "xxxxxxxxxxxx  web");
    check("Up 3 seconds (healthy)", "Up <AGE> (healthy)");
    check("Exited (0) Less than a second ago", "Exited (0) <AGE> ago");
    check("at 2026-11-21T02:20:08.88Z.", "at <TIME>.");
    check("2026-11-21 02:20:08 +0000 UTC", "<TIME>");
    check("172.17.0.2 10.0.0.1", "<IP> 10.0.0.1");
    check("3 seconds", "3 seconds");
    check("    indented    text", "    indented  text");
}
