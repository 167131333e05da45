//! The client's half of `docker build`: what is sent, how progress is drawn, where the result goes.

mod address;
pub(crate) mod caches;
pub(crate) mod context;
pub(crate) mod contexts;
pub(crate) mod lint;
pub(crate) mod live;
pub(crate) mod output;
pub(crate) mod progress;
pub(crate) mod query;
pub(crate) mod secrets;
pub(crate) mod source;
