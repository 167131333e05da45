//! The link of two machines of one exercise, made whenever both live.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::Duration;

use kernel::error::SysError;
use kernel::namespace::{self, Namespaces};
use kernel::netlink::link::{self, Peer};
use kernel::socket_path::SocketPath;

use crate::machine::cable::{INSIDE, Place};

/// How long a keeper may take to move its end inside.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest answer that is read, bytes: the keeper is not trusted.
const ANSWER_LIMIT: u64 = 256;

/// Why two machines are not joined.
#[derive(Debug, thiserror::Error)]
pub(super) enum CableError {
    /// The kernel does not make it.
    #[error("the link between the machines cannot be made")]
    Link(#[from] SysError),
    /// A keeper cannot be asked.
    #[error("the machine's keeper cannot be asked to take its end of the link")]
    Keeper(#[source] io::Error),
    /// A keeper does not take it.
    #[error("the machine does not take its end of the link: {0}")]
    Refused(String),
}

/// A machine that lives, as this file needs it.
pub(super) struct End<'a> {
    /// Which end it has.
    pub(super) place: Place,
    /// Its keeper's number on the host.
    pub(super) keeper: i32,
    /// Its keeper's socket.
    pub(super) socket: &'a Path,
}

/// Joins two machines. What a former link left in them ended with the machine it led to.
pub(super) fn join(ends: [End<'_>; 2]) -> Result<(), CableError> {
    let [one, two] = &ends;
    let here = namespace::open(one.keeper, "net")?;
    let there = namespace::open(two.keeper, "net")?;
    // A thread of its own: it changes its network, and ends.
    thread::scope(|scope| {
        let work = scope.spawn(|| pair(one.place, here.as_fd(), two.place, there.as_fd()));
        work.join().expect("no panic in a few system calls")
    })?;
    // The far end first: where one of them fails ours has not left the place where the next attempt removes it.
    for end in ends.iter().rev() {
        settle(end.socket)?;
    }
    Ok(())
}

/// Makes the pair, each end in a network that nothing else is in.
fn pair(
    one: Place,
    here: std::os::fd::BorrowedFd<'_>,
    two: Place,
    there: std::os::fd::BorrowedFd<'_>,
) -> Result<(), SysError> {
    namespace::setns(here, Namespaces::NETWORK)?;
    // An end that its keeper never took.
    if link::index(INSIDE).is_some() {
        link::delete(INSIDE)?;
    }
    let peer = Peer {
        name: INSIDE,
        mac: two.mac(),
        namespace: there,
    };
    link::add_veth(INSIDE, &peer)?;
    link::set_mac(INSIDE, one.mac())
}

/// Asks a keeper to move its end inside.
fn settle(socket: &Path) -> Result<(), CableError> {
    let ask = || -> io::Result<String> {
        let mut stream = UnixStream::connect(SocketPath::open(socket)?.short())?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        writeln!(stream, "{}", serde_json::json!({ "open": "cable" }))?;
        let mut line = String::new();
        BufReader::new(stream.take(ANSWER_LIMIT)).read_line(&mut line)?;
        Ok(line)
    };
    let line = ask().map_err(CableError::Keeper)?;
    match serde_json::from_str::<serde_json::Value>(&line) {
        Ok(answer) if answer["settled"] == true => Ok(()),
        _ => Err(CableError::Refused(line.trim().to_owned())),
    }
}
