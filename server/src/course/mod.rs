//! The course: folders of `content/fr` → modules, lessons and exercises, ready to be shown.
//!
//! Everything is read and rendered once, at the start, from the embedded folder or from
//! `--content DIR`. A file with a fault becomes a step that shows its fault; the rest of the course
//! is served. Markdown becomes HTML through an allow-list, whoever wrote it.
//!
//! Deliberately absent: what a learner has done (`progress`) and how pages look (`web`).

pub(crate) mod catalogue;
pub(crate) mod exercise;
pub(crate) mod fault;
pub(crate) mod front_matter;
pub(crate) mod highlight;
pub(crate) mod load;
pub(crate) mod markdown;
pub(crate) mod name;
pub(crate) mod sanitise;
pub(crate) mod source;

pub(crate) use catalogue::{Course, Module, Step, StepBody};
pub(crate) use fault::Fault;
