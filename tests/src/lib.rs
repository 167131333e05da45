//! What the tests from outside share: a place of their own, what this host can do, and the executable.
//!
//! Nothing here knows how Quai works inside. A test that needs what the host lacks says so through
//! [`skip!`], never by passing in silence.

pub mod authority;
pub mod checks;
pub mod contained;
pub mod engine;
pub mod executable;
pub mod host;
pub mod liar;
pub mod machines;
pub mod platform;
pub mod scratch;
pub mod terminal;
