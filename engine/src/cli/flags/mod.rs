//! Raw options: what a command accepts, and the words of one call sorted into it.
//!
//! The rules are those of Docker's own parser, because scripts depend on them: `--name x` and
//! `--name=x`, `-it`, `-p80:80`, `--rm=false`, `--` ends the options, and for `run` and `exec`
//! the first operand does. An option that is not in a command's table is an error; one that is
//! in it and cannot be had says why.

mod declared;
mod matches;

pub(crate) use declared::{Checked, Flag, Kind};
pub(crate) use matches::{FlagError, Matches, Order};
