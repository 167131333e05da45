//! An interface that is born in a container, on an interface of the stage: what macvlan and ipvlan have in common.

use kernel::error::SysError;
use kernel::netlink::link::{self, Birth};

use super::endpoint::{Endpoint, configure, free_name};
use super::inside::{Namespace, inside};
use super::parent::lacking;
use super::{NetworkError, step};
use crate::stage::Stage;

/// Connects a prepared container by what `make` makes; gives the endpoint with the interface's name. `feature` is what
/// a kernel lacks that cannot make it.
pub(super) fn attach(
    stage: &Stage,
    engine_pid: u32,
    mut endpoint: Endpoint,
    feature: &'static str,
    make: impl FnOnce(Birth<'_>, [u8; 6]) -> Result<(), SysError> + Send,
) -> Result<Endpoint, NetworkError> {
    let container = Namespace::of_process(engine_pid)?;
    endpoint.interface = free_name(&container)?;
    inside(&Namespace::of_stage(stage)?, || {
        let birth = Birth {
            name: &endpoint.interface,
            namespace: container.fd(),
        };
        make(birth, endpoint.mac).map_err(lacking(feature, &endpoint.interface))
    })?;
    let configured = inside(&container, || {
        configure(&endpoint).inspect_err(|_| {
            // The first failure is the one worth telling.
            let _ = link::delete(&endpoint.interface);
        })
    });
    configured.map(|()| endpoint)
}

/// Disconnects a container that still runs; at its end the interface goes by itself.
pub fn detach(engine_pid: u32, endpoint: &Endpoint) -> Result<(), NetworkError> {
    let name = endpoint.interface.as_str();
    inside(&Namespace::of_process(engine_pid)?, || {
        match link::index(name) {
            None => Ok(()),
            Some(_) => link::delete(name).map_err(step(format!("remove {name}"))),
        }
    })
}
