//! What the learner's root may not do although it is root.

use kernel::capability;
use kernel::error::SysError;

use crate::machine::filter::{self, FilterError, Whose};

/// Why programs cannot be confined.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConfineError {
    #[error(transparent)]
    Kernel(#[from] SysError),
    #[error(transparent)]
    Filter(#[from] FilterError),
}

/// Confines this process and every program that it will start.
pub(super) fn confine() -> Result<(), ConfineError> {
    capability::limit_bounding(filter::permitted(capability::bounding()?))?;
    Ok(filter::load(Whose::Shells)?)
}
