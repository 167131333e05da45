//! An exercise as the server holds it: what `labs` read, and its prose rendered.

use std::collections::BTreeMap;
use std::path::Path;

use labs::exercise::variables::{choose, fill};
use labs::exercise::{Exercise, Value};
use web::messages::say;

use super::fault::Fault;
use super::highlight::escape;
use super::markdown::{self, Rendered};

/// An exercise ready to be shown and watched.
#[derive(Debug)]
pub(crate) struct Tp {
    /// What must become true.
    pub(crate) exercise: Exercise,
    /// The same for each of its machines, in order; itself when there is one.
    pub(crate) parts: Vec<Exercise>,
    /// The statement, with a mark in place of each variable.
    pub(crate) statement: Rendered,
    /// Hints, rendered likewise, in the exercise's order.
    hints: Vec<String>,
}

/// An exercise in the words of one learner: each has their own values.
#[derive(Debug)]
pub(crate) struct Told {
    /// The statement.
    pub(crate) statement_html: String,
    /// Hints, in the exercise's order.
    pub(crate) hints_html: Vec<String>,
    values: BTreeMap<String, Value>,
}

impl Tp {
    /// Reads `tp.md`; `id` is what its place in the course says its id must be.
    pub(crate) fn read(file: &str, text: &str, id: &str, assets: &str) -> Result<Self, Fault> {
        let source = labs::exercise::load::parse(Path::new(file), text)
            .map_err(|problem| Fault::from(&problem))?;
        let exercise = source.exercise;
        if exercise.id != id {
            let cause = say("fault.id", &[("id", &exercise.id), ("folder", id)]);
            return Err(Fault::at(file, 2, cause));
        }
        let marked = |text: &str| {
            let known = |name: &str| exercise.vars.contains_key(name).then(|| mark(name));
            markdown::render(&fill(text, known), assets)
        };
        let statement = marked(&source.prose);
        let hints = exercise.hints.iter().map(|hint| marked(&hint.md).html);
        let hints = hints.collect();
        Ok(Self {
            parts: exercise.parts(),
            exercise,
            statement,
            hints,
        })
    }

    /// What happens on one of its machines: the one of this name, or the only one.
    pub(crate) fn part(&self, host: Option<&str>) -> Option<&Exercise> {
        self.parts.iter().find(|part| part.host() == host)
    }

    /// The exercise as `learner` reads it.
    pub(crate) fn told_to(&self, learner: &str) -> Told {
        let values = variables(&self.exercise, learner);
        let filled = |html: &str| {
            values.iter().fold(html.to_owned(), |html, (name, value)| {
                html.replace(&mark(name), &escape(&value.to_string()))
            })
        };
        Told {
            statement_html: filled(&self.statement.html),
            hints_html: self.hints.iter().map(|html| filled(html)).collect(),
            values,
        }
    }
}

impl Told {
    /// A sentence of the exercise with the learner's values.
    pub(crate) fn sentence(&self, text: &str) -> String {
        fill(text, |name| self.values.get(name).map(ToString::to_string))
    }
}

/// The learner's own values of an exercise's variables: always the same for the same learner.
pub(crate) fn variables(exercise: &Exercise, learner: &str) -> BTreeMap<String, Value> {
    choose(exercise, learner.as_bytes())
}

/// What stands for a variable while Markdown is rendered: one word that no highlighter cuts.
fn mark(name: &str) -> String {
    let hex: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("quaivar{hex}x")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_even_inside_highlighted_code() {
        let text = "---\nschema: 1\nid: a/b\ntitle: T\nduration: 5m\n\
                    vars: { nom: { pick: [\"<phare>\"] } }\n\
                    checks: [{ id: c, text: \"Se nomme {{nom}}\", assert: { x.y: 1 } }]\n\
                    solve: s.sh\ncounterexamples: []\n---\n\
                    Le nom {{nom}}, pas {{autre}} :\n\n```console run\nhostname {{nom}}\n```\n";
        let tp = Tp::read("tp.md", text, "a/b", "/x").unwrap();
        let told = tp.told_to("local");
        assert!(
            told.statement_html
                .contains("Le nom &lt;phare&gt;, pas {{autre}}")
        );
        let code = told.statement_html.split("<code>").nth(1).unwrap();
        assert!(code.contains("&lt;phare&gt;"), "{code}");
        assert_eq!(
            told.sentence(&tp.exercise.checks[0].text),
            "Se nomme <phare>"
        );
    }
}
