//! Networks on the real kernel. A host is a network namespace with an engine of its own; what is between hosts is
//! another one.

mod crash;
mod lab;
mod names;
mod overlay;
mod ports;
mod underlay;
