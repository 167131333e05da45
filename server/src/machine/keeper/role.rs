//! The role `quai keeper`: builds the stages, then serves.

use std::os::unix::net::UnixListener;
use std::process::ExitCode;

use kernel::error::SysError;

use super::events;
use super::inner_stage::InnerError;
use super::outer::{self, OuterError};
use super::residence::Residence;
use crate::machine::channel::{Channel, ChannelError};
use crate::machine::stage::{CHANNEL, FromHelper, FromStage, story};

/// Why the machine could not be built.
#[derive(Debug, thiserror::Error)]
enum KeeperError {
    #[error(transparent)]
    Channel(#[from] ChannelError),
    #[error("the outer stage cannot be built")]
    Outer(#[from] OuterError),
    #[error("the inner stage cannot be started")]
    Inner(#[from] InnerError),
    #[error(transparent)]
    Kernel(#[from] SysError),
    #[error("the helper spoke out of order")]
    OutOfOrder,
}

/// Runs as PID 1 of the outer stage, with the helper's channel as descriptor 3.
pub(crate) fn run() -> ExitCode {
    let Some(channel) = Channel::inherit(CHANNEL) else {
        eprintln!("quai keeper: only the helper starts this");
        return ExitCode::from(2);
    };
    let (listener, mut residence) = match build(&channel) {
        Ok(built) => built,
        Err(error) => {
            let why = story(&error);
            eprintln!("keeper: {why}");
            let _ = channel.send(&FromStage::Failed { why });
            return ExitCode::FAILURE;
        }
    };
    drop(channel);
    match events::run(&listener, &mut residence) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("keeper: {}", story(&error));
            ExitCode::FAILURE
        }
    }
}

fn build(channel: &Channel) -> Result<(UnixListener, Residence), KeeperError> {
    let _ = kernel::process::set_name(c"keeper");
    let (FromHelper::Build(build), [listener]) = channel.receive_with()? else {
        return Err(KeeperError::OutOfOrder);
    };
    outer::build()?;
    outer::limit_kernel_objects()?;
    outer::mount_machine(&build.lowers)?;
    let residence = Residence::settle(build.uplink, build.cable)?;
    channel.send(&FromStage::Ready)?;
    Ok((UnixListener::from(listener), residence))
}
