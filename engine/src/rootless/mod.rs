//! An ordinary user's engine: `quai engine` without root.
//!
//! Three processes of the user make it:
//!
//! - the **engine** itself. Started as an ordinary user it [`enter`]s the namespaces below and executes itself again;
//!   from then on it is root there and knows little of all this.
//! - the **parent** (`quai rootless-parent`) stays in the host's namespaces. It makes the user, mount, network and
//!   control group namespaces, connects them to the outside by a user-mode network helper (`pasta`, else `slirp4netns`)
//!   and makes sockets on the host's ports for the engine, which relays what they accept. It outlives engines as long as
//!   containers live, so that the next engine finds them in the same namespaces.
//! - the **anchor**, a child of the parent that only keeps the namespaces and has a number that others can name.
//!
//! Here is everything up to the second start of the engine, and the [`Door`] it keeps open to the parent.

mod anchor;
mod delegation;
mod door;
mod enter;
mod error;
mod nameservers;
mod parent;
mod places;
mod subordinate;
mod uplink;

pub use door::{Carrier, Door};
pub use enter::enter;
pub use error::RootlessError;
pub use parent::run;
pub use places::Places;
pub use subordinate::{Maps, Range, check_programs, ranges_of, user_name};
pub use uplink::{Helper, find_program};
