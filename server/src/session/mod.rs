//! Who is asking, and whether their browser was sent here by one of our own pages.
//!
//! `origin` refuses foreign hosts and origins before anything else is looked at; `cookie` reads
//! and writes the one cookie; `learner` turns it into the learner a route works for. `relay` carries
//! terminals between websockets and keepers, `watches` what watchers say.
//! Local mode has exactly one learner and no password. Deliberately absent: accounts and roles.

pub(crate) mod cookie;
pub(crate) mod learner;
pub(crate) mod origin;
pub(crate) mod relay;
pub(crate) mod watches;
mod watching;

pub(crate) use learner::{Learner, LearnerId};
