//! What is mounted and made in a container's root: decided in `plan`, done in `apply`.

mod apply;
mod bound;
mod cgroups;
mod copy_up;
mod node;
pub mod option;
mod overlay;
mod plan;
mod step;

pub(crate) use apply::{
    Copied, Scene, apply, bind_console, make_directories, make_root_read_only, set_root_propagation,
};
pub(crate) use bound::{clone, lines as id_lines};
pub(crate) use overlay::mount_root;
pub(crate) use plan::{MASKED, READ_ONLY, absolute, links, plan, show_no_more_of_sysfs};
pub use step::{
    Attributes, Bound, Content, Flag, Node, NodeKind, Propagation, Reach, Source, Step, Way,
};
