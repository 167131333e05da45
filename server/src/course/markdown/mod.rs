//! Markdown → safe HTML and its table of contents.

use std::collections::BTreeSet;

use pulldown_cmark::{
    BlockQuoteKind, CodeBlockKind, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html,
};

use super::highlight::{self, Fence, escape};
use super::sanitise;

/// A rendered text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rendered {
    /// Safe HTML.
    pub(crate) html: String,
    /// Its headings of levels 2 and 3.
    pub(crate) headings: Vec<Heading>,
    /// Addresses it points to.
    pub(crate) links: Vec<String>,
    /// Pictures without an alternative text.
    pub(crate) mute_pictures: Vec<String>,
}

/// One heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heading {
    /// 2 or 3.
    pub(crate) level: u8,
    /// Its fragment, unique on the page.
    pub(crate) id: String,
    /// Its words.
    pub(crate) title: String,
}

/// Ids that the templates use: a heading must not take them.
const RESERVED: &[&str] = &[
    "contenu",
    "theme",
    "end",
    "checks",
    "checks-title",
    "checks-body",
    "verify",
    "fold",
    "headline",
    "passed",
    "live",
    "reset",
    "reset-dialog",
    "reset-title",
    "splitter",
    "terminals",
    "terminal",
    "tp-left",
    "tp-right",
    "machine-state",
    "link-state",
    "hints-title",
    "hint-wait",
    "contents-title",
    "solved-mark",
    "sentences",
];

/// Renders a text; pictures named `assets/…` are found below `assets_href`.
pub(crate) fn render(text: &str, assets_href: &str) -> Rendered {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_HEADING_ATTRIBUTES
        | Options::ENABLE_DEFINITION_LIST
        | Options::ENABLE_GFM;
    let mut page = Page {
        assets_href,
        taken: RESERVED.iter().map(|id| (*id).to_owned()).collect(),
        rendered: Rendered::default(),
    };
    let mut events = Vec::new();
    let mut parser = Parser::new_ext(text, options);
    while let Some(event) = parser.next() {
        page.take(event, &mut parser, &mut events);
    }
    let mut raw = String::new();
    html::push_html(&mut raw, events.into_iter());
    page.rendered.html = sanitise::clean(&raw);
    page.rendered
}

/// Renders one line of text, such as a question.
pub(crate) fn render_line(text: &str) -> String {
    let html = render(text, "").html;
    let html = html.trim();
    match html
        .strip_prefix("<p>")
        .and_then(|h| h.strip_suffix("</p>"))
    {
        Some(inner) if !inner.contains("<p>") => inner.to_owned(),
        _ => html.to_owned(),
    }
}

struct Page<'a> {
    assets_href: &'a str,
    taken: BTreeSet<String>,
    rendered: Rendered,
}

impl Page<'_> {
    fn take<'t>(&mut self, event: Event<'t>, rest: &mut Parser<'t>, out: &mut Vec<Event<'t>>) {
        match event {
            Event::Start(Tag::CodeBlock(kind)) => {
                let code = text_until(rest, TagEnd::CodeBlock);
                let fence = match &kind {
                    CodeBlockKind::Fenced(info) => Fence::parse(info),
                    CodeBlockKind::Indented => Fence::parse(""),
                };
                out.push(Event::Html(highlight::block(&fence, &code).into()));
            }
            Event::Start(Tag::Heading { level, id, .. }) => {
                let inner: Vec<Event<'t>> = until(rest, TagEnd::Heading(level));
                self.heading(level, id, inner, out);
            }
            Event::Start(Tag::BlockQuote(Some(kind))) => {
                let (class, title) = note(kind);
                let title = escape(&web::messages::say(title, &[]));
                let open = format!(
                    "<div class=\"note note-{class}\"><p class=\"note-title\">{title}</p>\n"
                );
                out.push(Event::Html(open.into()));
            }
            Event::End(TagEnd::BlockQuote(Some(_))) => out.push(Event::Html("</div>\n".into())),
            Event::Start(Tag::Image {
                link_type,
                dest_url,
                title,
                id,
            }) => {
                let dest_url = self.picture(dest_url);
                let inner = until(rest, TagEnd::Image);
                if words(&inner).trim().is_empty() {
                    self.rendered.mute_pictures.push(dest_url.to_string());
                }
                out.push(Event::Start(Tag::Image {
                    link_type,
                    dest_url,
                    title,
                    id,
                }));
                out.extend(inner);
                out.push(Event::End(TagEnd::Image));
            }
            Event::Start(Tag::Link { ref dest_url, .. }) => {
                self.rendered.links.push(dest_url.to_string());
                out.push(event);
            }
            other => out.push(other),
        }
    }

    fn heading<'t>(
        &mut self,
        level: HeadingLevel,
        id: Option<CowStr<'t>>,
        inner: Vec<Event<'t>>,
        out: &mut Vec<Event<'t>>,
    ) {
        // The template's title is the only heading of level 1.
        let level = (level as u8).max(2);
        let title = words(&inner);
        let id = self.unique(&slug(id.as_deref().unwrap_or(&title)));
        out.push(Event::Html(format!("<h{level} id=\"{id}\">").into()));
        out.extend(inner);
        out.push(Event::Html(format!("</h{level}>\n").into()));
        if level <= 3 {
            self.rendered.headings.push(Heading { level, id, title });
        }
    }

    fn unique(&mut self, wanted: &str) -> String {
        let mut candidates = (1..).map(|n| match n {
            1 => wanted.to_owned(),
            n => format!("{wanted}-{n}"),
        });
        let id = candidates
            .find(|id| !self.taken.contains(id))
            .expect("numbers do not run out before headings");
        self.taken.insert(id.clone());
        id
    }

    fn picture<'t>(&self, href: CowStr<'t>) -> CowStr<'t> {
        match href.strip_prefix("assets/") {
            Some(rest) => format!("{}/{rest}", self.assets_href).into(),
            None => href,
        }
    }
}

fn note(kind: BlockQuoteKind) -> (&'static str, &'static str) {
    match kind {
        BlockQuoteKind::Note => ("note", "course.note"),
        BlockQuoteKind::Tip => ("tip", "course.tip"),
        BlockQuoteKind::Important => ("important", "course.important"),
        BlockQuoteKind::Warning => ("warning", "course.warning"),
        BlockQuoteKind::Caution => ("caution", "course.caution"),
    }
}

fn until<'t>(rest: &mut Parser<'t>, end: TagEnd) -> Vec<Event<'t>> {
    let mut depth = 0;
    let mut inner = Vec::new();
    for event in rest.by_ref() {
        match &event {
            Event::Start(tag) if tag.to_end() == end => depth += 1,
            Event::End(tag) if *tag == end => {
                if depth == 0 {
                    break;
                }
                depth -= 1;
            }
            _ => {}
        }
        inner.push(event);
    }
    inner
}

fn text_until(rest: &mut Parser<'_>, end: TagEnd) -> String {
    words(&until(rest, end))
}

fn words(events: &[Event<'_>]) -> String {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
            Event::SoftBreak | Event::HardBreak => Some(" "),
            _ => None,
        })
        .collect()
}

/// Words → a fragment of ASCII letters, digits and hyphens.
fn slug(title: &str) -> String {
    let mut out = String::new();
    for char in title.chars().flat_map(char::to_lowercase) {
        let plain = match char {
            'à' | 'â' | 'ä' => "a",
            'ç' => "c",
            'é' | 'è' | 'ê' | 'ë' => "e",
            'î' | 'ï' => "i",
            'ô' | 'ö' => "o",
            'ù' | 'û' | 'ü' => "u",
            'œ' => "oe",
            'æ' => "ae",
            c if c.is_ascii_alphanumeric() => {
                out.push(c);
                continue;
            }
            _ => {
                if !out.ends_with('-') && !out.is_empty() {
                    out.push('-');
                }
                continue;
            }
        };
        out.push_str(plain);
    }
    let out = out.trim_end_matches('-');
    if out.is_empty() {
        "section".to_owned()
    } else {
        out.to_owned()
    }
}

#[cfg(test)]
mod tests;
