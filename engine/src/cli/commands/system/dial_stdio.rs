//! `docker system dial-stdio`: the far end of `ssh://`, stdin and stdout as the daemon's socket.

use std::io::{self, Read, Write};
use std::net::Shutdown;

use crate::cli::Session;
use crate::cli::commands::{Command, Operands};
use crate::cli::connect::Stream;
use crate::cli::error::CliError;
use crate::cli::flags::Order;

/// The command; the help does not list it.
pub(crate) static COMMAND: Command = Command {
    paths: &["system dial-stdio"],
    about: "Proxy the stdio stream to the daemon connection. Should not be invoked manually.",
    synopsis: "",
    flags: &[],
    operands: Operands::None,
    order: Order::Anywhere,
    run: |session, _| Box::pin(run(session)),
};

async fn run(session: &Session) -> Result<u8, CliError> {
    let copied = match session.client.dial().await? {
        Stream::Unix(stream) | Stream::Ssh(stream, _) => stream.into_std().and_then(|socket| {
            socket.set_nonblocking(false)?;
            let twin = socket.try_clone()?;
            proxy(socket, twin, |socket| socket.shutdown(Shutdown::Write))
        }),
        Stream::Tcp(stream) => stream.into_std().and_then(|socket| {
            socket.set_nonblocking(false)?;
            let twin = socket.try_clone()?;
            proxy(socket, twin, |socket| socket.shutdown(Shutdown::Write))
        }),
    };
    copied.map_err(|source| CliError::Stream {
        doing: "copy to or from the daemon",
        source,
    })?;
    Ok(0)
}

/// Copies both ways until the daemon has nothing more to say.
fn proxy<S: Read + Write + Send + 'static>(
    mut from: S,
    mut to: S,
    end: impl FnOnce(&S) -> io::Result<()> + Send + 'static,
) -> io::Result<()> {
    std::thread::spawn(move || {
        // The end of our input is the end of what the daemon hears, not of what it says.
        let _ = io::copy(&mut io::stdin().lock(), &mut to);
        let _ = end(&to);
    });
    // Not `io::copy`: our output is buffered by lines, and what is said may have none.
    let mut out = io::stdout().lock();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            count => out.write_all(&buffer[..count])?,
        }
        out.flush()?;
    }
}
