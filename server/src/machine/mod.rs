//! The machine of a learner, as the server knows it.

pub(crate) mod keeper;
