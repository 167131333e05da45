//! Each page rendered from a literal and compared with its photograph in `snapshots/`.
//!
//! After a wanted change: `UPDATE_SNAPSHOTS=1 cargo test -p web`, then read the difference.

use std::path::Path;

use web::pages::exercise::{CheckRow, Hint, Input, Question};
use web::pages::home::{Done, ModuleCard};
use web::pages::lesson::Heading;
use web::pages::module::{Step, StepKind, StepState};
use web::pages::{
    Assets, Crumb, ExercisePage, FailurePage, Frame, HomePage, LessonPage, Link, ModulePage,
    PublishedPage, Template,
};

/// Text that would be markup if a template forgot to escape it.
const POISON: &str = "<img src=x onerror=alert(1)> & \"'";

fn frame(title: &str) -> Frame {
    Frame {
        title: title.to_owned(),
        trail: vec![Crumb {
            title: "Accueil".into(),
            href: "/".into(),
        }],
        assets: Assets {
            style: "/assets/style.css".into(),
            page: "/assets/page.js".into(),
            checks: "/assets/checks.js".into(),
            terminal: "/assets/terminal.js".into(),
            terminal_style: Some("/assets/terminal.css".into()),
        },
        style_nonce: "0123".into(),
    }
}

fn link(title: &str) -> Option<Link> {
    Some(Link {
        title: title.into(),
        href: "/cours/m/p".into(),
    })
}

#[track_caller]
fn photograph(name: &str, page: &impl Template) {
    let html = page.render().unwrap();
    assert!(!html.contains("<img src=x"), "{name} does not escape");
    assert!(
        !html.contains(" style=") && !html.contains(" onclick"),
        "{name} has inline code"
    );
    // The sentences of the scripts are data of fr.toml, not of the page.
    let begin = html.find("id=\"sentences\">").unwrap();
    let end = begin + html[begin..].find("</script>").unwrap();
    let html = format!("{}id=\"sentences\">…{}", &html[..begin], &html[end..]);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/snapshots/{name}.html"));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&file, &html).unwrap();
    }
    let known = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        html == known,
        "{name} differs from its photograph; it is now:\n{html}"
    );
}

#[test]
fn home() {
    let done = Done {
        pages: 1,
        pages_total: 2,
        exercises: 0,
        exercises_total: 1,
    };
    photograph(
        "home",
        &HomePage {
            frame: frame("Accueil"),
            resume: link(POISON),
            modules: vec![ModuleCard {
                place: 2,
                title: POISON.into(),
                summary: POISON.into(),
                href: "/cours/namespaces".into(),
                done,
            }],
            faults: vec![POISON.into()],
        },
    );
}

#[test]
fn module() {
    let step = |state, kind| Step {
        kind,
        title: POISON.into(),
        note: POISON.into(),
        href: "/tp/m/t".into(),
        state,
    };
    photograph(
        "module",
        &ModulePage {
            frame: frame("Namespaces"),
            place: 2,
            title: POISON.into(),
            summary: POISON.into(),
            body_html: "<p>Corps</p>".into(),
            done: Done::default(),
            steps: vec![
                step(StepState::New, StepKind::Page),
                step(StepState::Begun, StepKind::Exercise),
                step(StepState::Done, StepKind::Exercise),
                step(StepState::Unavailable, StepKind::Exercise),
                step(StepState::Broken, StepKind::Page),
            ],
        },
    );
}

#[test]
fn lesson() {
    let heading = |level, id: &str| Heading {
        level,
        id: id.into(),
        title: POISON.into(),
    };
    photograph(
        "lesson",
        &LessonPage {
            frame: frame("Une page"),
            title: POISON.into(),
            summary: POISON.into(),
            contents: vec![heading(2, "a"), heading(3, "b")],
            body_html: "<h2 id=\"a\">A</h2>".into(),
            previous: link(POISON),
            next: None,
            read_href: "/cours/m/p/lu".into(),
            read: true,
        },
    );
}

fn exercise_page(unavailable: Vec<String>) -> ExercisePage {
    let question = |id: &str, input| Question {
        id: id.into(),
        text_html: "Combien ?".into(),
        input,
        answer: POISON.into(),
        passed: false,
    };
    ExercisePage {
        frame: frame("Un TP"),
        title: POISON.into(),
        duration: "8 min environ".into(),
        body_html: "<p>Énoncé</p>".into(),
        href: "/tp/m/t".into(),
        id: "m/t".into(),
        hosts: Vec::new(),
        checks: vec![
            CheckRow {
                id: "a".into(),
                text: POISON.into(),
                needs: vec![],
                passed: true,
            },
            CheckRow {
                id: "b".into(),
                text: "B".into(),
                needs: vec!["a".into()],
                passed: false,
            },
        ],
        questions: vec![
            question("n", Input::Integer),
            question("t", Input::Text),
            question("c", Input::Choice(vec![POISON.into(), "autre".into()])),
        ],
        hints: vec![Hint {
            after_s: 60,
            body_html: "<p>Indice</p>".into(),
        }],
        solved: false,
        unavailable,
        previous: None,
        next: link("Suite"),
    }
}

#[test]
fn exercise() {
    photograph("exercise", &exercise_page(Vec::new()));
}

#[test]
fn an_exercise_on_two_machines_names_them() {
    let mut page = exercise_page(Vec::new());
    page.hosts = vec!["un".into(), "deux".into()];
    let html = page.render().unwrap();
    assert!(html.contains("data-hosts=\"un deux\""), "{html}");
}

#[test]
fn what_stands_in_place_of_a_published_page_stands_alone() {
    let page = PublishedPage {
        title: POISON.into(),
        why: POISON.into(),
        remedy: POISON.into(),
        style_nonce: "0123".into(),
    };
    let html = page.render().unwrap();
    assert!(html.contains("lang=\"fr\"") && html.contains("nonce=\"0123\""));
    for foreign in ["<img src=x", "<script", "href=\"/", " style="] {
        assert!(!html.contains(foreign), "{foreign}: {html}");
    }
}

#[test]
fn an_exercise_that_cannot_run_has_no_terminal_and_no_reset() {
    let page = exercise_page(vec![POISON.into()]);
    let html = page.render().unwrap();
    assert!(
        !html.contains("terminal.js") && !html.contains("id=\"reset\""),
        "{html}"
    );
    photograph("exercise-unavailable", &page);
}

#[test]
fn failure() {
    photograph(
        "failure",
        &FailurePage {
            frame: frame("Page introuvable"),
            title: POISON.into(),
            why: POISON.into(),
            remedy: POISON.into(),
            details: vec![POISON.into()],
        },
    );
}
