use super::*;

/// What must never survive, whatever the way it was written.
#[track_caller]
fn inert(markdown: &str) {
    let html = render(markdown, "/a").html.to_ascii_lowercase();
    for poison in [
        "<script",
        "<svg",
        "<iframe",
        "<style",
        "<object",
        "<form",
        "<base",
        "<meta",
        "<link",
        "<math",
        "onerror=",
        "onload=",
        "onclick=",
        "ontoggle=",
        "href=\"javascript",
        "href=\"data",
        "href=\"vbscript",
        "style=",
        "srcdoc",
        "formaction",
    ] {
        assert!(!html.contains(poison), "{markdown:?} gave {html}");
    }
}

#[test]
fn scripts_in_a_text_are_inert() {
    inert("<script>alert(1)</script>");
    inert("a <img src=x onerror=alert(1)> b");
    inert("<svg onload=alert(1)><script>1</script></svg>");
    inert("[x](javascript:alert(1))");
    inert("[x](JaVaScRiPt:alert(1))");
    inert("[x](java&#x09;script:alert(1))");
    inert("[x](data:text/html;base64,PHNjcmlwdD4=)");
    inert("<javascript:alert(1)>");
    inert("![x](javascript:alert(1))");
    inert("<details open ontoggle=alert(1)><summary>s</summary></details>");
    inert("<iframe srcdoc='<script>alert(1)</script>'></iframe>");
    inert(
        "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
    );
    inert("<p style=\"position:fixed\">x</p>");
    inert("<form action=/x><input type=submit formaction=javascript:1></form>");
    inert("<a href=\"vbscript:x\" onclick=\"x\">x</a>");
    inert("<base href=//evil><meta http-equiv=refresh content=0><link rel=stylesheet href=//evil>");
    inert("```html\n<script>alert(1)</script>\n```");
    inert("## <img src=x onerror=alert(1)>");
    inert("`<script>`");
}

#[test]
fn pictures_come_from_here_only() {
    let html = render("![un port](assets/quai.svg)", "/cours/m/assets").html;
    assert!(
        html.contains("src=\"/cours/m/assets/quai.svg\" alt=\"un port\""),
        "{html}"
    );
    let html = render("![x](https://example.org/p.png)", "").html;
    assert!(!html.contains("example.org"), "{html}");
    assert_eq!(
        render("![](assets/a.png)", "/x").mute_pictures,
        ["/x/a.png"]
    );
}

#[test]
fn headings_make_the_contents() {
    let page = render(
        "## Où est `PID 1` ?\n\n### Été\n\n## Où est PID 1\n\n## Thème {#theme}\n",
        "",
    );
    let ids: Vec<_> = page.headings.iter().map(|h| h.id.as_str()).collect();
    assert_eq!(ids, ["ou-est-pid-1", "ete", "ou-est-pid-1-2", "theme-2"]);
    assert_eq!(page.headings[0].title, "Où est PID 1 ?");
    assert!(
        page.html.contains("<h2 id=\"ou-est-pid-1\">"),
        "{}",
        page.html
    );
}

#[test]
fn a_heading_of_level_one_becomes_one_of_level_two() {
    assert!(render("# Titre", "").html.starts_with("<h2 id=\"titre\">"));
}

#[test]
fn a_titled_note() {
    let html = render("> [!WARNING]\n> Doucement.\n", "").html;
    assert!(
        html.contains("<div class=\"note note-warning\"><p class=\"note-title\">"),
        "{html}"
    );
    assert!(html.contains("Doucement."), "{html}");
}

#[test]
fn code_keeps_its_classes_and_authors_bring_none() {
    let html = render(
        "```sh\necho \"$HOME\"\n```\n\n<p class=\"bar hl-x\">a</p>\n",
        "",
    )
    .html;
    assert!(html.contains("class=\"code code-sh\""), "{html}");
    assert!(html.contains("hl-"), "{html}");
    assert!(html.contains("<p class=\"hl-x\">"), "{html}");
}

#[test]
fn a_line_loses_its_paragraph() {
    assert_eq!(
        render_line("Quel est le `PID` ?"),
        "Quel est le <code>PID</code> ?"
    );
}
