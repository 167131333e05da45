//! What learners see: pages as plain view structs, their templates and their French sentences.
//!
//! This crate imports nothing of ours. `server` fills the view structs; a page can therefore be
//! rendered, and photographed, from a literal.
//!
//! Deliberately absent: HTTP, sessions, databases, anything that knows what a machine is.

pub mod messages;
pub mod pages;
pub mod phrases;
