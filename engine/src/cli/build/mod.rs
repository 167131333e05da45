//! The client's half of `docker build`: what is sent, how progress is drawn, where the result goes.

pub(crate) mod context;
pub(crate) mod live;
pub(crate) mod output;
pub(crate) mod progress;
pub(crate) mod secrets;
pub(crate) mod source;
