//! What each URL answers; `router` lists them.

pub(crate) mod assets;
pub(crate) mod checks;
pub(crate) mod machine;
pub(crate) mod opening;
pub(crate) mod pages;
mod seat;
pub(crate) mod terminal;
pub(crate) mod verdicts;
