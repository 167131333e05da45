//! From the outer stage into the inner one.

use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::process::ExitCode;

use kernel::error::SysError;
use kernel::namespace::{self, Namespaces};
use kernel::process::{self, Dumpable, Forked, Parent};

use super::root::{self, RootError};
use super::serve;
use super::wire::{FromInit, FromKeeper};
use crate::machine::channel::{Channel, ChannelError};
use crate::machine::stage::{CHANNEL, story};

/// Why the inner stage could not be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum EnterError {
    #[error(transparent)]
    Channel(#[from] ChannelError),
    #[error(transparent)]
    Kernel(#[from] SysError),
    #[error(transparent)]
    Root(#[from] RootError),
    #[error("the keeper spoke out of order")]
    OutOfOrder,
}

/// The role `quai machine-init`: started by the keeper, with their channel as descriptor 3.
pub(crate) fn run() -> ExitCode {
    let Some(channel) = Channel::inherit(CHANNEL) else {
        eprintln!("quai machine-init: only the keeper of a machine starts this");
        return ExitCode::from(2);
    };
    match enter(&channel) {
        Ok(code) => code,
        Err(error) => {
            let why = story(&error);
            eprintln!("machine-init: {why}");
            let _ = channel.send(&FromInit::Failed { why, errno: 0 });
            ExitCode::FAILURE
        }
    }
}

fn enter(channel: &Channel) -> Result<ExitCode, EnterError> {
    process::set_dumpable(Dumpable::Yes)?;
    namespace::unshare(Namespaces::USER)?;
    channel.send(&FromInit::Isolated)?;
    go(channel)?;
    let kinds = Namespaces::NETWORK | Namespaces::UTS | Namespaces::IPC | Namespaces::CGROUP;
    namespace::unshare(kinds)?;
    own_clocks()?;
    channel.send(&FromInit::Networked)?;
    let FromKeeper::Build { nameservers, cable } = channel.receive()? else {
        return Err(EnterError::OutOfOrder);
    };
    match process::fork(Namespaces::PID | Namespaces::MOUNT, Parent::CallersParent)? {
        Forked::Parent(init) => {
            let message = FromInit::Init { pid: init.pid };
            channel.send_with(&message, &[init.pidfd.as_fd()])?;
            Ok(ExitCode::SUCCESS)
        }
        Forked::Child => {
            process::set_dumpable(Dumpable::No)?;
            go(channel)?;
            let docker = root::build(&nameservers, cable.as_ref())?;
            channel.send_with(&FromInit::Ready, &[docker.as_fd()])?;
            drop(docker);
            Ok(serve::run(channel))
        }
    }
}

/// Gives PID 1 a time namespace: `nsenter --all` then enters nothing that the machine does not own.
fn own_clocks() -> Result<(), EnterError> {
    match namespace::unshare(Namespaces::TIME) {
        // A kernel without them: nobody in the machine sees one either.
        Err(e) if e.source.kind() == ErrorKind::InvalidInput => Ok(()),
        done => Ok(done?),
    }
}

fn go(channel: &Channel) -> Result<(), EnterError> {
    match channel.receive()? {
        FromKeeper::Go => Ok(()),
        _ => Err(EnterError::OutOfOrder),
    }
}
