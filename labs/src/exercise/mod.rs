//! An exercise as its author wrote it: front matter, prose, scripts.
//!
//! `schema` holds the types (`expectation` and `period` their values), `load` turns a file into
//! them and says where it is wrong, `lint` finds what is well formed and yet cannot work,
//! `variables` chooses a learner's values, `parts` tells what is watched on which machine.

pub mod expectation;
pub mod lint;
pub mod load;
mod parts;
pub mod period;
pub mod problem;
pub mod schema;
pub mod variables;

pub use expectation::{Expectation, Operators, Value};
pub use load::{Source, load};
pub use period::Period;
pub use problem::{Cause, Problem};
pub use schema::Exercise;
