//! What an exercise is and when it is solved: schema, probes, checks, verdicts.
//!
//! Everything here is blocking and read-only. A fact is read from the kernel, from outside the
//! learner's machine, or asked from the engine's public socket as any client would; no program of
//! the machine is ever run for a verdict. Verdicts leave as data: sentences are made in `web`.
//! The vocabulary for authors is `docs/exercises.md`.

mod binding;
mod check;
pub mod compare;
pub mod exercise;
pub mod fact;
pub mod plan;
pub mod probe;
pub mod protocol;
mod round;
pub mod verdict;
pub mod watch;
