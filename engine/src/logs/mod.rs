//! Where the output of containers goes: the shim writes, even while no daemon runs.

pub mod json_file;
