//! Addresses that no two engines give: taken in one transaction with the place of the container that has them.

use std::net::IpAddr;
use std::sync::Arc;

use crate::api::types::{EndpointIpam, EndpointSettings};
use crate::cluster::{Change, Client, Condition, Outcome};
use crate::network::endpoint::{mac_of, parse_mac};
use crate::network::ipam::{IpamError, Pool};
use crate::network::subnet::Subnet;

use super::super::super::container::ContainerRecord;
use super::super::super::{Daemon, DaemonError};
use super::super::address::{addresses, dns_names};
use super::super::record::{Driver, NetworkRecord};
use super::mirror::Owner;
use super::settle::put;
use super::{Claim, ClaimStage, Cluster, Leases, Place};

/// How often another engine may be quicker before the attempt is given up.
const TRIES: usize = 64;

impl Daemon {
    /// Takes addresses for a container in an overlay network, and tells the others of it. Blocking.
    pub(in super::super) fn claim(
        &self,
        network: &NetworkRecord,
        record: &ContainerRecord,
    ) -> Result<Vec<(IpAddr, Subnet)>, DaemonError> {
        let cluster = self.cluster()?;
        let leases = cluster.leases()?;
        let settings = &record.endpoints[&network.name];
        let mut place = place_of(network, record);
        place.engine.clone_from(&cluster.engine);
        place.vtep = Some(cluster.vtep()?);
        let wish = Wish {
            network,
            endpoint: &settings.endpoint_id,
            asked: settings.ipam_config.clone().unwrap_or_default(),
            place,
            leases,
        };
        cluster.ask(async |client| cluster.take(client, &wish).await)
    }

    /// Gives back the places of a container in overlay networks, in one or in all.
    pub(in super::super) fn unclaim(&self, record: &ContainerRecord, only: Option<&str>) {
        let Some(cluster) = &self.networks.cluster else {
            return;
        };
        let mut claims = cluster.claims();
        let before = claims.len();
        for (name, settings) in &record.endpoints {
            if only.is_none_or(|only| only == name) {
                claims.remove(&settings.endpoint_id);
            }
        }
        if claims.len() != before {
            cluster.wake.notify_one();
        }
    }

    /// A container has other names in a network.
    pub(in super::super) fn rename_claim(&self, endpoint: &str, name: &str, names: &[String]) {
        let Some(cluster) = &self.networks.cluster else {
            return;
        };
        if let Some(claim) = cluster.claims().get_mut(endpoint)
            && (claim.place.names != names || claim.place.name != name)
        {
            claim.place.names = names.to_vec();
            name.clone_into(&mut claim.place.name);
            cluster.wake.notify_one();
        }
    }

    /// After a restart of the daemon: live containers have their places, and the store is followed again.
    pub(in super::super) fn recover_cluster(self: &Arc<Self>) {
        let Some(cluster) = &self.networks.cluster else {
            return;
        };
        for container in self.all_containers() {
            let record = container.record();
            if record.state.process().is_none() {
                continue;
            }
            for (name, settings) in &record.endpoints {
                let network = self.networks.lock().find(name).cloned();
                if let Ok(network) = network
                    && matches!(network.driver, Driver::Overlay(_))
                {
                    let mut place = place_of(&network, &record);
                    place.engine.clone_from(&cluster.engine);
                    let claim = Claim {
                        network: network.id.clone(),
                        place,
                        stage: ClaimStage::Held,
                    };
                    cluster.claims().insert(settings.endpoint_id.clone(), claim);
                }
            }
        }
        if let Err(error) = super::session::begin(self, cluster) {
            tracing::error!("{error}");
        }
    }
}

/// What a container wants in a network.
struct Wish<'a> {
    network: &'a NetworkRecord,
    endpoint: &'a str,
    asked: EndpointIpam,
    place: Place,
    leases: Leases,
}

impl Cluster {
    async fn take(
        &self,
        client: &Client,
        wish: &Wish<'_>,
    ) -> Result<Vec<(IpAddr, Subnet)>, DaemonError> {
        for _ in 0..TRIES {
            let listed = client.list(&self.keys.addresses(&wish.network.id)).await?;
            let mut taken: Vec<IpAddr> = Vec::new();
            for entry in &listed.keys {
                let address = entry.key.rsplit_once('/');
                let Some(address) = address.and_then(|(_, address)| address.parse().ok()) else {
                    continue;
                };
                if !self.takes_back(client, &entry.key, &entry.value).await? {
                    taken.push(address);
                }
            }
            let chosen = choose(wish, &taken)?;
            if self.try_to_take(client, wish, &chosen).await? == Outcome::Done {
                return Ok(chosen);
            }
            let network = self.keys.network(&wish.network.id);
            if client.list(&network).await?.keys.is_empty() {
                return Err(DaemonError::NotFoundText(format!(
                    "network {} not found: it is no longer in the cluster store",
                    wish.network.name
                )));
            }
        }
        Err(DaemonError::Cluster(format!(
            "other engines were quicker {TRIES} times: no address of network {} could be taken",
            wish.network.name
        )))
    }

    /// Gives back at once what a container of this engine has just left; whether that address is free now.
    async fn takes_back(
        &self,
        client: &Client,
        key: &str,
        value: &[u8],
    ) -> Result<bool, DaemonError> {
        let Ok(owner) = serde_json::from_slice::<Owner>(value) else {
            return Ok(false);
        };
        if owner.engine != self.engine || self.claims().contains_key(&owner.endpoint) {
            return Ok(false);
        }
        let unchanged = Condition::Equals(key.to_owned(), value.to_vec());
        let removal = Change::Delete(key.to_owned());
        Ok(client.transact(&[unchanged], &[removal]).await? == Outcome::Done)
    }

    async fn try_to_take(
        &self,
        client: &Client,
        wish: &Wish<'_>,
        chosen: &[(IpAddr, Subnet)],
    ) -> Result<Outcome, DaemonError> {
        let (id, endpoint) = (&wish.network.id, wish.endpoint);
        let mut place = wish.place.clone();
        place.addresses = chosen.iter().map(|(address, _)| *address).collect();
        if place.mac == [0; 6]
            && let Some(first) = place.addresses.first()
        {
            place.mac = mac_of(*first);
        }
        let owner = Owner {
            engine: self.engine.clone(),
            endpoint: endpoint.to_owned(),
        };
        let mut conditions = vec![Condition::Present(self.keys.network(id))];
        let mut changes = vec![put(
            self.keys.place(id, endpoint),
            &place,
            wish.leases.presence,
        )];
        for address in &place.addresses {
            let key = self.keys.address(id, *address);
            conditions.push(Condition::Absent(key.clone()));
            changes.push(put(key, &owner, wish.leases.addresses));
        }
        let claim = Claim {
            network: id.clone(),
            place,
            stage: ClaimStage::Asked,
        };
        // Before the store hears of it: what it then tells of must not look like a leftover.
        self.claims().insert(endpoint.to_owned(), claim);
        let outcome = client.transact(&conditions, &changes).await;
        let mut claims = self.claims();
        if matches!(outcome, Ok(Outcome::Done)) {
            if let Some(claim) = claims.get_mut(endpoint) {
                claim.stage = ClaimStage::Held;
            }
            drop(claims);
            self.expect(&changes);
        } else {
            claims.remove(endpoint);
            // An answer that was lost may have been a yes.
            self.wake.notify_one();
        }
        Ok(outcome?)
    }

    fn expect(&self, changes: &[Change]) {
        self.mirror().expect(&self.keys, changes);
    }
}

/// Decides which addresses are tried: those asked for, or any that are free.
fn choose(wish: &Wish<'_>, taken: &[IpAddr]) -> Result<Vec<(IpAddr, Subnet)>, DaemonError> {
    let mut chosen = Vec::new();
    for addressing in &wish.network.addressing {
        let mut pool = Pool::new(addressing)?;
        for address in taken.iter().filter(|a| addressing.subnet.contains(**a)) {
            // The gateway is nobody's; any other is taken once.
            let _ = pool.take(*address);
        }
        let asked = if addressing.subnet.address().is_ipv4() {
            &wish.asked.ipv4_address
        } else {
            &wish.asked.ipv6_address
        };
        let address = match asked.parse::<IpAddr>() {
            Ok(address) => pool.take(address).map(|()| address),
            Err(_) => pool.allocate(),
        };
        let address = address.map_err(|error| match error {
            IpamError::Taken(_) => DaemonError::Forbidden(error.to_string()),
            IpamError::Outside(_) => DaemonError::Invalid(error.to_string()),
            other => other.into(),
        })?;
        chosen.push((address, addressing.subnet));
    }
    Ok(chosen)
}

/// What others are told of a container's place.
fn place_of(network: &NetworkRecord, record: &ContainerRecord) -> Place {
    let settings: &EndpointSettings = &record.endpoints[&network.name];
    let asked = record.attachments.get(&network.name);
    let mac = match settings.mac_address.as_str() {
        "" => asked.map_or("", |attachment| attachment.asked_mac.as_str()),
        given => given,
    };
    Place {
        engine: String::new(),
        vtep: None,
        container: record.id.clone(),
        name: record.name.clone(),
        names: dns_names(network, record).unwrap_or_default(),
        addresses: addresses(settings).collect(),
        mac: parse_mac(mac).unwrap_or_default(),
    }
}
