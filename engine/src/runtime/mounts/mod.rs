//! What is mounted and made in a container's root: decided in `plan`, done in `apply`.

mod apply;
mod overlay;
mod plan;

pub(crate) use apply::{
    Scene, apply, bind_console, clone_private, make_directories, make_root_read_only,
};
pub(crate) use overlay::mount_root;
pub use plan::{Flag, Source, Step};
pub(crate) use plan::{plan, show_no_more_of_sysfs};
