//! The allow-list through which all HTML of the course passes, ours included.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::LazyLock;

use ammonia::{Builder, UrlRelative};

/// Classes that the renderer writes; authors cannot bring others.
const CLASSES: &[&str] = &[
    "code",
    "note",
    "note-title",
    "note-note",
    "note-tip",
    "note-important",
    "note-warning",
    "note-caution",
    "footnote-reference",
    "footnote-definition",
    "footnote-definition-label",
];

/// Removes everything that is not on the list: scripts, styles, event attributes, odd schemes.
pub(crate) fn clean(html: &str) -> String {
    LIST.clean(html).to_string()
}

static LIST: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut list = Builder::default();
    list.tags(HashSet::from([
        "a",
        "abbr",
        "b",
        "blockquote",
        "br",
        "caption",
        "code",
        "dd",
        "del",
        "details",
        "div",
        "dl",
        "dt",
        "em",
        "figcaption",
        "figure",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "img",
        "input",
        "ins",
        "kbd",
        "li",
        "mark",
        "ol",
        "p",
        "pre",
        "q",
        "s",
        "samp",
        "small",
        "span",
        "strong",
        "sub",
        "summary",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "u",
        "ul",
        "var",
        "wbr",
    ]))
    .generic_attributes(HashSet::from(["lang", "title", "class", "id"]))
    .tag_attributes(
        [
            ("a", HashSet::from(["href"])),
            ("img", HashSet::from(["src", "alt", "width", "height"])),
            ("pre", HashSet::from(["data-run"])),
            ("ol", HashSet::from(["start"])),
            ("th", HashSet::from(["scope", "colspan", "rowspan"])),
            ("td", HashSet::from(["colspan", "rowspan"])),
        ]
        .into(),
    )
    // The boxes of task lists: always inert.
    .tag_attribute_values(
        [(
            "input",
            [
                ("type", HashSet::from(["checkbox"])),
                ("disabled", HashSet::from([""])),
                ("checked", HashSet::from([""])),
            ]
            .into(),
        )]
        .into(),
    )
    .set_tag_attribute_value("input", "disabled", "")
    .url_schemes(HashSet::from(["http", "https", "mailto"]))
    .url_relative(UrlRelative::PassThrough)
    .link_rel(Some("noopener noreferrer"))
    .attribute_filter(|element, attribute, value| match attribute {
        "class" => classes(value),
        // Pictures come from this server only.
        "src" if element == "img" => value.starts_with('/').then_some(Cow::Borrowed(value)),
        _ => Some(Cow::Borrowed(value)),
    });
    list
});

fn classes(value: &str) -> Option<Cow<'_, str>> {
    let known = |word: &&str| {
        CLASSES.contains(word)
            || ["hl-", "code-"]
                .iter()
                .any(|prefix| word.starts_with(prefix))
    };
    let kept: Vec<&str> = value.split_whitespace().filter(known).collect();
    (!kept.is_empty()).then(|| Cow::Owned(kept.join(" ")))
}
