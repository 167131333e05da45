//! Networks as the daemon keeps them: who made which, who is in them, what is published.
//!
//! `network` makes kernel objects and knows nothing of names; here are the records, and what clients are told. The
//! order of every change keeps a crash harmless: a record is written before its bridge is made and removed after it,
//! addresses and rules are derived from the records of containers, and what belongs to a container dies with it.

mod change;
mod drivers;
mod former;
mod record;
mod request;
mod settings;
mod told;

mod address;
mod attach;
mod bindings;
mod files;
mod join;
mod leftovers;
mod links;
mod publish;
mod relay;
mod wanted;

mod names;
mod resolver;

mod overlay;

pub(crate) use leftovers::Removal;
pub(super) use overlay::Cluster;
pub(crate) use record::Networks;
pub(crate) use settings::first_networks;
pub(crate) use wanted::Attachment;

/// Networks that every engine has.
fn is_predefined(name: &str) -> bool {
    matches!(name, "bridge" | "host" | "none")
}
