//! The whole loop with a real bash on a real pty, and clients on a real socket.

pub(crate) mod house;
mod loop_with_bash;

/// How long a test waits for what must come.
const SOON: std::time::Duration = std::time::Duration::from_secs(10);
