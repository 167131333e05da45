//! An exercise as the server holds it: what `labs` read, and its prose rendered.

use std::collections::BTreeMap;
use std::path::Path;

use labs::exercise::{Exercise, Value};

use super::fault::Fault;
use super::markdown::{self, Rendered};

/// An exercise ready to be shown and watched.
#[derive(Debug)]
pub(crate) struct Tp {
    /// What must become true.
    pub(crate) exercise: Exercise,
    /// The statement.
    pub(crate) statement: Rendered,
    /// Hints, rendered, in the exercise's order.
    pub(crate) hints: Vec<String>,
}

impl Tp {
    /// Reads `tp.md`; `id` is what its place in the course says its id must be.
    pub(crate) fn read(file: &str, text: &str, id: &str, assets: &str) -> Result<Self, Fault> {
        let source = labs::exercise::load::parse(Path::new(file), text)
            .map_err(|problem| Fault::from(&problem))?;
        let exercise = source.exercise;
        if exercise.id != id {
            let cause = format!("the id is {:?}, its folder says {id:?}", exercise.id);
            return Err(Fault::at(file, 2, cause));
        }
        let statement = markdown::render(&source.prose, assets);
        let hints = exercise
            .hints
            .iter()
            .map(|hint| markdown::render(&hint.md, assets).html)
            .collect();
        Ok(Self {
            exercise,
            statement,
            hints,
        })
    }
}

/// The learner's own values of an exercise's variables: always the same for the same learner.
pub(crate) fn variables(exercise: &Exercise, learner: &str) -> BTreeMap<String, Value> {
    labs::exercise::variables::choose(exercise, learner.as_bytes())
}
