//! What surrounds every page: title, trail, addresses of the style sheet and scripts.

/// The frame of a page; `templates/layout.html` draws it.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    /// The page's own title, shown in the tab.
    pub title: String,
    /// Where this page stands, from the home page down.
    pub trail: Vec<Crumb>,
    /// Addresses of the embedded assets.
    pub assets: Assets,
    /// What style elements made by scripts must carry; new for each answer.
    pub style_nonce: String,
}

/// One step of the trail.
#[derive(Debug, Clone)]
pub struct Crumb {
    /// Its words.
    pub title: String,
    /// Its address.
    pub href: String,
}

/// A link to another page of the course.
#[derive(Debug, Clone)]
pub struct Link {
    /// Its words.
    pub title: String,
    /// Its address.
    pub href: String,
}

/// Addresses of the embedded assets, each with the digest of its content.
#[derive(Debug, Clone, Default)]
pub struct Assets {
    /// The style sheet.
    pub style: String,
    /// Script of every page.
    pub page: String,
    /// Script of the check list.
    pub checks: String,
    /// Script of the terminals.
    pub terminal: String,
    /// Style sheet of the terminals, where the bundle has one of its own.
    pub terminal_style: Option<String>,
}

impl Frame {
    /// The sentences the scripts show, as JSON for `<script type="application/json">`.
    #[must_use]
    pub fn front_sentences(&self) -> String {
        json_object(&crate::messages::section("front"))
    }
}

/// Writes a JSON object that is also inert inside a `<script>` element.
fn json_object(entries: &std::collections::BTreeMap<&'static str, &'static str>) -> String {
    let mut out = String::from("{");
    for (index, (key, value)) in entries.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        json_string(key, &mut out);
        out.push(':');
        json_string(value, &mut out);
    }
    out.push('}');
    out
}

fn json_string(text: &str, out: &mut String) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => {
                out.push('\\');
                out.push(char);
            }
            // `<`, `>` and `&` could end the script element; control characters are not JSON.
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(char)));
            }
            _ => out.push(char),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_cannot_close_the_script_element() {
        let mut out = String::new();
        json_string("</script>\"\n", &mut out);
        assert_eq!(out, "\"\\u003c/script\\u003e\\\"\\u000a\"");
    }
}
