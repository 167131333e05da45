//! The error of a system call: which call, on what, and why.

/// A system call that failed.
#[derive(Debug, thiserror::Error)]
#[error("{call}{}: {source}", .object.as_deref().map(|o| format!(" {o}")).unwrap_or_default())]
pub struct SysError {
    /// The call as the manual names it, such as `ioctl TIOCSWINSZ`.
    pub call: &'static str,
    /// What it was called on, such as a path, when the descriptor alone would not tell.
    pub object: Option<String>,
    /// The errno.
    pub source: std::io::Error,
}

impl SysError {
    /// `Ok` unless `ret` is negative; then the call failed with the current errno.
    pub fn check(call: &'static str, ret: i64) -> Result<(), Self> {
        if ret < 0 {
            Err(Self::last(call))
        } else {
            Ok(())
        }
    }

    /// The call failed with the current errno.
    pub fn last(call: &'static str) -> Self {
        Self {
            call,
            object: None,
            source: std::io::Error::last_os_error(),
        }
    }

    /// The call failed with this error.
    pub fn io(call: &'static str, source: std::io::Error) -> Self {
        Self {
            call,
            object: None,
            source,
        }
    }

    /// Names what the call was made on.
    #[must_use]
    pub fn on(mut self, object: impl Into<String>) -> Self {
        self.object = Some(object.into());
        self
    }
}
