//! What the store says of this engine's containers is brought in line with what they have.

use std::collections::BTreeMap;

use crate::cluster::{Change, Client, Condition, Outcome};

use super::super::super::DaemonError;
use super::super::record::NetworkRecord;
use super::keys::Keys;
use super::mirror::{Mirror, Owner};
use super::{Claim, ClaimStage, Cluster, Leases, Place};

/// One transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Step {
    conditions: Vec<Condition>,
    changes: Vec<Change>,
    /// What it means if a condition does not hold.
    refused: Option<String>,
}

/// What steps are decided from.
struct Sides<'a> {
    keys: &'a Keys,
    engine: &'a str,
    leases: Leases,
    claims: &'a BTreeMap<String, Claim>,
    mirror: &'a Mirror,
    /// Networks as this engine remembers them.
    records: &'a [NetworkRecord],
}

impl Cluster {
    /// Puts what is missing and removes what is over.
    pub(super) async fn settle(
        &self,
        client: &Client,
        leases: Leases,
        records: &[NetworkRecord],
    ) -> Result<(), DaemonError> {
        let vtep = self.vtep()?;
        let steps = {
            let mut claims = self.claims();
            for claim in claims.values_mut() {
                claim.place.vtep = Some(vtep);
            }
            let sides = Sides {
                keys: &self.keys,
                engine: &self.engine,
                leases,
                claims: &claims,
                mirror: &self.mirror(),
                records,
            };
            plan(&sides)
        };
        for step in steps {
            let outcome = client.transact(&step.conditions, &step.changes).await?;
            match (outcome, step.refused) {
                (Outcome::Done, _) => self.mirror().expect(&self.keys, &step.changes),
                (Outcome::Refused, Some(why)) => tracing::error!("{why}"),
                (Outcome::Refused, None) => {}
            }
        }
        self.settle_secrets(client, leases, vtep, records).await
    }
}

/// Decides.
fn plan(sides: &Sides<'_>) -> Vec<Step> {
    let mut steps = Vec::new();
    let gone = |endpoint: &str| !sides.claims.contains_key(endpoint);
    for ((network, endpoint), place) in &sides.mirror.places {
        if place.value.engine == sides.engine && gone(endpoint) {
            steps.push(Step {
                changes: vec![Change::Delete(sides.keys.place(network, endpoint))],
                ..Step::default()
            });
        }
    }
    for ((network, address), owner) in &sides.mirror.addresses {
        if owner.value.engine == sides.engine
            && gone(&owner.value.endpoint)
            && let Ok(address) = address.parse()
        {
            // The mirror may lag behind: somebody else may have been given the address meanwhile.
            let key = sides.keys.address(network, address);
            steps.push(Step {
                conditions: vec![Condition::Equals(key.clone(), bytes(&owner.value))],
                changes: vec![Change::Delete(key)],
                refused: None,
            });
        }
    }
    for (endpoint, claim) in sides.claims {
        if claim.stage == ClaimStage::Held {
            steps.extend(keep(sides, endpoint, claim));
        }
    }
    steps
}

/// What a place that a container has still lacks in the store.
fn keep(sides: &Sides<'_>, endpoint: &str, claim: &Claim) -> Vec<Step> {
    let mut steps = Vec::new();
    let id = &claim.network;
    if !sides.mirror.networks.contains_key(id)
        && let Some(record) = sides.records.iter().find(|record| record.id == *id)
    {
        // The store has forgotten a network that is in use here.
        let key = sides.keys.network(id);
        steps.push(Step {
            conditions: vec![Condition::Absent(key.clone())],
            changes: vec![put(key, record, 0)],
            refused: None,
        });
    }
    for address in &claim.place.addresses {
        let key = sides.keys.address(id, *address);
        let owner = Owner {
            engine: sides.engine.to_owned(),
            endpoint: endpoint.to_owned(),
        };
        let known = sides
            .mirror
            .addresses
            .get(&(id.clone(), address.to_string()));
        let change = put(key.clone(), &owner, sides.leases.addresses);
        match known {
            None => steps.push(Step {
                conditions: vec![Condition::Absent(key)],
                changes: vec![change],
                refused: Some(taken(&claim.place, *address)),
            }),
            Some(known) if known.value == owner && known.lease == sides.leases.addresses => {}
            Some(known) if known.value.engine == sides.engine => steps.push(Step {
                changes: vec![change],
                ..Step::default()
            }),
            Some(_) => tracing::error!("{}", taken(&claim.place, *address)),
        }
    }
    let known = sides.mirror.places.get(&(id.clone(), endpoint.to_owned()));
    let current = known
        .is_some_and(|known| known.value == claim.place && known.lease == sides.leases.presence);
    if !current {
        let key = sides.keys.place(id, endpoint);
        steps.push(Step {
            changes: vec![put(key, &claim.place, sides.leases.presence)],
            ..Step::default()
        });
    }
    steps
}

fn taken(place: &Place, address: std::net::IpAddr) -> String {
    format!(
        "the container {} has lost its address {address} to another engine while the cluster store was out of reach: \
         start it again",
        place.name
    )
}

/// A key with this value.
pub(super) fn put<T: serde::Serialize>(key: String, value: &T, lease: i64) -> Change {
    Change::Put {
        key,
        value: bytes(value),
        lease,
    }
}

/// A value as the store has it.
pub(super) fn bytes<T: serde::Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("records are plain data")
}
