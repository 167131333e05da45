//! `--init`: a PID 1 that passes signals on and collects orphans, with the program as its child.

use std::os::fd::{AsFd, OwnedFd};

use kernel::child;
use kernel::error::SysError;
use kernel::namespace::Namespaces;
use kernel::poll::{self, Interest};
use kernel::process::{self, Forked, Parent, Patience, Signal};
use kernel::signal::{self, Inbox};

use super::init;
use super::program::Program;
use super::voice::Voice;
use crate::runtime::handshake::Refusal;

/// Makes the program a child and serves it until it ends; ends with its code.
pub(super) fn run(wanted: &Program, slave: Option<&OwnedFd>, voice: Voice) -> ! {
    let fail = |what: &str, e: SysError| -> ! { voice.fail(Refusal::failed(what, &e)) };
    let everything: Vec<_> = (1..=64).map(Signal).collect();
    let inbox = match Inbox::open(&everything) {
        Ok(inbox) => inbox,
        Err(e) => fail("cannot listen for signals", e),
    };
    let program = match process::fork(Namespaces::NONE, Parent::Caller) {
        Ok(Forked::Parent(child)) => child,
        Ok(Forked::Child) => {
            let led = signal::reset_all().and_then(|()| init::lead(slave));
            if let Err(e) = led {
                fail("cannot take the terminal", e);
            }
            voice.fail(wanted.execute(0))
        }
        Err(e) => fail("cannot make the program's process", e),
    };
    // What people look for in a list of processes; without it they see our own name.
    let _ = process::set_name(c"docker-init");
    // The program holds the only end now: when it is executed the shim hears the silence.
    drop(voice);
    // The shim's ends of the pipes are among the descriptors that this process was born with.
    let _ = child::abandon_all_but(inbox.as_fd(), || {
        serve(&inbox, program.pid);
    });
    process::exit(125)
}

fn serve(inbox: &Inbox, child: i32) {
    loop {
        let _ = poll::wait(&[(inbox.as_fd(), Interest::Read)], None);
        while let Ok(Some(signal)) = inbox.next() {
            if signal != Signal::CHLD {
                let _ = process::kill(child, signal);
            }
        }
        while let Ok(Some((pid, exit))) = process::reap(Patience::Poll) {
            if pid == child {
                process::exit(exit.shell_code());
            }
        }
    }
}
