//! The networks that the stage knows already: a new one must not hide them.

use kernel::netlink::{link, route};

use super::inside::{Namespace, inside};
use super::subnet::Subnet;
use super::{NetworkError, step};
use crate::stage::Stage;

/// Names of the stage's interfaces.
pub fn interfaces(stage: &Stage) -> Result<Vec<String>, NetworkError> {
    inside(&Namespace::of_stage(stage)?, || {
        link::names().map_err(step("read the interfaces of the host"))
    })
}

/// Subnets that routes of the stage lead to, default routes and link-local ones aside, but for those through
/// interfaces of these names.
pub fn known(stage: &Stage, except: &[String]) -> Result<Vec<Subnet>, NetworkError> {
    let routes = inside(&Namespace::of_stage(stage)?, || {
        let except: Vec<u32> = except.iter().filter_map(|name| link::index(name)).collect();
        let mut routes = route::list().map_err(step("read the routes of the host"))?;
        routes.retain(|route| route.interface.is_none_or(|index| !except.contains(&index)));
        Ok(routes)
    })?;
    let subnets = routes
        .into_iter()
        .filter(|route| route.prefix > 0)
        .filter_map(|route| Subnet::new(route.destination, route.prefix).ok());
    let link_local: Subnet = "fe80::/10".parse().expect("it is one");
    let multicast: Subnet = "ff00::/8".parse().expect("it is one");
    Ok(subnets
        .filter(|subnet| !subnet.overlaps(link_local) && !subnet.overlaps(multicast))
        .collect())
}
