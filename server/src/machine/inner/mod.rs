//! The inner init: PID 1 of the inner stage, where the learner is root.
//!
//! It is executed in the outer user namespace and enters the inner one afterwards, so its memory
//! belongs to the outer stage, and it is not dumpable: the learner's root can neither trace it nor
//! open its descriptors. It builds the learner's root (`root`), then starts shells when the keeper
//! asks (`serve`, `shell`) and reaps. `confine` takes away what no exercise needs: capabilities, and
//! system calls (`machine/filter.rs`).

mod confine;
mod enter;
mod root;
mod serve;
mod shell;
pub(crate) mod wire;

pub(crate) use enter::run;
pub(crate) use serve::Ending;
