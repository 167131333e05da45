//! Commands for people who install the platform and write its course.

pub(crate) mod bundle;
pub(crate) mod completion;
pub(crate) mod content;
pub(crate) mod doctor;
pub(crate) mod help;
pub(crate) mod network;
