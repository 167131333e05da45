//! The machine of a learner, as the server knows it.

pub(crate) mod identity;
pub(crate) mod keeper;
pub(crate) mod pool;
