//! The Docker Engine API: a thin skin over `daemon`.
//!
//! `types` are the bodies, shared with the command line. Routes translate between HTTP and the daemon's calls and
//! decide nothing; statuses and wording of errors are in one place.

pub mod types;
