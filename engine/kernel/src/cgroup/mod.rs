//! Control groups of both versions, one hierarchy at a time.
//!
//! A host mounts each controller of version 1 by itself, all of version 2 together, or a mixture.
//! [`Layout`] says what is mounted where; a [`Cgroup`] is the same relative path in every
//! hierarchy of a layout.

mod devices;
mod group;
mod layout;
mod limit;
mod oom;
mod setting;

pub use devices::DeviceRule;
pub use group::{Cgroup, Origin};
pub use layout::{Hierarchy, Layout, Version};
pub use limit::{Limit, Rate};
pub use oom::OomWatch;
pub use setting::Setting;
