//! Whose a file becomes, where a user namespace has no id for its owner.

use kernel::error::SysError;

/// Where this user namespace has no id but root's, files of others become root's; the archive of their layer, which
/// is kept, still tells whose they are.
pub(super) fn given(owner: Result<(), SysError>) -> Result<(), SysError> {
    match owner {
        Err(error) if error.source.raw_os_error() == Some(22) && has_single_id() => Ok(()),
        done => done,
    }
}

/// Looked at once: a confined process no longer sees `/proc`.
pub(super) fn has_single_id() -> bool {
    static SINGLE: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *SINGLE.get_or_init(kernel::namespace::has_single_user)
}
