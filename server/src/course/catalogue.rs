//! The course in memory: modules and their steps, found by slug.

use super::exercise::Tp;
use super::fault::Fault;
use super::markdown::Rendered;
use super::name::Name;

/// The whole course, in order.
#[derive(Debug, Default)]
pub(crate) struct Course {
    /// Its modules.
    pub(crate) modules: Vec<Module>,
    /// What is broken outside any step: folders and names.
    pub(crate) faults: Vec<Fault>,
}

/// One module.
#[derive(Debug)]
pub(crate) struct Module {
    /// Place and slug.
    pub(crate) name: Name,
    /// Its title.
    pub(crate) title: String,
    /// One sentence about it.
    pub(crate) summary: String,
    /// The words of `index.md`.
    pub(crate) body: Rendered,
    /// Pages and exercises, in order.
    pub(crate) steps: Vec<Step>,
}

/// One page or exercise.
#[derive(Debug)]
pub(crate) struct Step {
    /// Place and slug.
    pub(crate) name: Name,
    /// Its title; its slug when the file is broken.
    pub(crate) title: String,
    /// One sentence about it.
    pub(crate) summary: String,
    /// What it is.
    pub(crate) body: StepBody,
}

/// What a step is.
#[derive(Debug)]
pub(crate) enum StepBody {
    /// A course page.
    Lesson(Rendered),
    /// An exercise.
    Exercise(Box<Tp>),
    /// A course page with a fault.
    BrokenLesson(Fault),
    /// An exercise with a fault.
    BrokenExercise(Fault),
}

/// A step with its module and neighbours.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// Its module.
    pub(crate) module: &'a Module,
    /// The step.
    pub(crate) step: &'a Step,
    /// The step before it in the course, with its module.
    pub(crate) previous: Option<(&'a Module, &'a Step)>,
    /// The step after it.
    pub(crate) next: Option<(&'a Module, &'a Step)>,
}

impl Course {
    /// Finds a module by its slug.
    pub(crate) fn module(&self, slug: &str) -> Option<&Module> {
        self.modules.iter().find(|module| module.name.slug == slug)
    }

    /// Finds a course page, broken or not.
    pub(crate) fn lesson(&self, module: &str, slug: &str) -> Option<Place<'_>> {
        self.place(module, slug).filter(|p| !p.step.is_exercise())
    }

    /// Finds an exercise, broken or not.
    pub(crate) fn exercise(&self, module: &str, slug: &str) -> Option<Place<'_>> {
        self.place(module, slug).filter(|p| p.step.is_exercise())
    }

    /// Finds an exercise that has no fault, by its id.
    pub(crate) fn tp(&self, module: &str, slug: &str) -> Option<&Tp> {
        match &self.exercise(module, slug)?.step.body {
            StepBody::Exercise(tp) => Some(tp),
            _ => None,
        }
    }

    /// Every fault of the course, in reading order.
    pub(crate) fn all_faults(&self) -> Vec<&Fault> {
        let in_steps = self.steps().filter_map(|(_, step)| step.fault());
        self.faults.iter().chain(in_steps).collect()
    }

    fn place(&self, module: &str, slug: &str) -> Option<Place<'_>> {
        let steps: Vec<_> = self.steps().collect();
        let found = steps
            .iter()
            .position(|(m, step)| m.name.slug == module && step.name.slug == slug)?;
        let (module, step) = steps[found];
        Some(Place {
            module,
            step,
            previous: found.checked_sub(1).map(|before| steps[before]),
            next: steps.get(found + 1).copied(),
        })
    }

    /// Every step of the course with its module, in reading order.
    pub(crate) fn steps(&self) -> impl Iterator<Item = (&Module, &Step)> {
        self.modules
            .iter()
            .flat_map(|module| module.steps.iter().map(move |step| (module, step)))
    }
}

impl Module {
    /// Its address.
    pub(crate) fn href(&self) -> String {
        format!("/cours/{}", self.name.slug)
    }

    /// Address of one of its steps.
    pub(crate) fn step_href(&self, step: &Step) -> String {
        let room = if step.is_exercise() { "tp" } else { "cours" };
        format!("/{room}/{}/{}", self.name.slug, step.name.slug)
    }

    /// Id of one of its steps, as progress stores it.
    pub(crate) fn step_id(&self, step: &Step) -> String {
        format!("{}/{}", self.name.slug, step.name.slug)
    }
}

impl Step {
    /// Whether it is an exercise, broken or not.
    pub(crate) fn is_exercise(&self) -> bool {
        matches!(
            self.body,
            StepBody::Exercise(_) | StepBody::BrokenExercise(_)
        )
    }

    /// Its fault, if it has one.
    pub(crate) fn fault(&self) -> Option<&Fault> {
        match &self.body {
            StepBody::BrokenLesson(fault) | StepBody::BrokenExercise(fault) => Some(fault),
            StepBody::Lesson(_) | StepBody::Exercise(_) => None,
        }
    }
}
