//! What hosts encrypt with: for each pair of hosts and each way a key of its own, made by the sender, and shared through
//! the store. Whoever may read the store may read the networks: it is to be protected with TLS, both sides showing a certificate.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::MutexGuard;

use crate::cluster::{Change, Client};
use crate::network::encryption::{self, Association, KEY};
use crate::network::overlay::Secrecy;

use super::super::super::{Daemon, DaemonError};
use super::super::record::{Driver, NetworkRecord};
use super::mirror::Secret;
use super::settle::put;
use super::{Cluster, Leases};

/// Numbers below are reserved; RFC 4303, 2.1.
const FIRST_SPI: u32 = 257;

impl Cluster {
    /// The store has a key of ours for each host that we share an encrypted network with, and no others.
    pub(super) async fn settle_secrets(
        &self,
        client: &Client,
        leases: Leases,
        own: IpAddr,
        records: &[NetworkRecord],
    ) -> Result<(), DaemonError> {
        drop(self.look_at_associations());
        let changes = self.missing_secrets(leases, own, &self.peers(own, records));
        for change in changes {
            client.transact(&[], std::slice::from_ref(&change)).await?;
            self.mirror()
                .expect(&self.keys, std::slice::from_ref(&change));
        }
        Ok(())
    }

    fn missing_secrets(
        &self,
        leases: Leases,
        own: IpAddr,
        peers: &BTreeSet<IpAddr>,
    ) -> Vec<Change> {
        let mirror = self.mirror();
        let mut changes = Vec::new();
        let from = own.to_string();
        for ((sender, to), _) in mirror.secrets.iter().filter(|((s, _), _)| *s == from) {
            if let (Ok(sender), Ok(to)) = (sender.parse(), to.parse())
                && !peers.contains(&to)
            {
                changes.push(Change::Delete(self.keys.secret(sender, to)));
            }
        }
        for to in peers {
            let known = mirror.secrets.get(&(from.clone(), to.to_string()));
            // The kernel counts packets: a key that it has lost is not used again, since the count began anew.
            let kept = known.filter(|known| self.has_association(own, *to, known.value.spi));
            match kept {
                Some(known) if known.lease == leases.presence => {}
                Some(known) => changes.push(put(
                    self.keys.secret(own, *to),
                    &known.value,
                    leases.presence,
                )),
                None => {
                    let before = known.map_or(0, |known| known.value.spi);
                    if let Some(secret) = fresh(before) {
                        changes.push(put(self.keys.secret(own, *to), &secret, leases.presence));
                    }
                }
            }
        }
        changes
    }

    /// Whether the kernel has it.
    fn has_association(&self, from: IpAddr, to: IpAddr, spi: u32) -> bool {
        let known = self.associations();
        let wanted = Association { from, to, spi };
        known.as_ref().is_some_and(|known| known.contains(&wanted))
    }

    /// What an engine before this one gave the kernel.
    fn look_at_associations(&self) -> MutexGuard<'_, Option<BTreeSet<Association>>> {
        let mut known = self.associations();
        known.get_or_insert_with(|| {
            // A kernel without IPsec has none.
            let found = encryption::associations(&self.stage);
            found.map(BTreeSet::from_iter).unwrap_or_default()
        });
        known
    }

    fn associations(&self) -> MutexGuard<'_, Option<BTreeSet<Association>>> {
        self.associations.lock().expect("no panic while holding it")
    }

    /// The hosts that have containers in an encrypted network that a container of ours is in.
    fn peers(&self, own: IpAddr, records: &[NetworkRecord]) -> BTreeSet<IpAddr> {
        let ours: BTreeSet<String> = {
            let claims = self.claims();
            claims.values().map(|claim| claim.network.clone()).collect()
        };
        let mirror = self.mirror();
        let encrypted = records.iter().filter(|record| {
            ours.contains(&record.id)
                && matches!(&record.driver, Driver::Overlay(settings) if settings.secrecy == Secrecy::Encrypted)
        });
        encrypted
            .flat_map(|record| mirror.remote(&record.id, &self.engine))
            .filter_map(|(_, place)| place.vtep)
            .filter(|peer| *peer != own && peer.is_ipv4() == own.is_ipv4())
            .collect()
    }
}

/// A new key. `None` where the kernel gives no randomness.
fn fresh(before: u32) -> Option<Secret> {
    let mut key = [0; KEY];
    getrandom::fill(&mut key).ok()?;
    let spi = getrandom::u32().ok()?.max(FIRST_SPI);
    Some(Secret {
        spi: if spi == before { before ^ 1 << 16 } else { spi },
        key,
    })
}

impl Daemon {
    /// Gives the kernel the keys of the store that are for this host or from it, and takes the others away.
    pub(super) fn write_associations(&self, cluster: &Cluster) -> Result<(), DaemonError> {
        let own = cluster.vtep()?;
        let wanted: BTreeMap<Association, [u8; KEY]> = {
            let mirror = cluster.mirror();
            let read = mirror.secrets.iter().filter_map(|((from, to), secret)| {
                let association = Association {
                    from: from.parse().ok()?,
                    to: to.parse().ok()?,
                    spi: secret.value.spi,
                };
                let ours = association.from == own || association.to == own;
                ours.then_some((association, secret.value.key))
            });
            read.collect()
        };
        let mut known = cluster.look_at_associations();
        // Taken: after a failure they are looked at again.
        let before = known.take().unwrap_or_default();
        for (association, key) in &wanted {
            if !before.contains(association) {
                encryption::add(&self.stage, *association, key)?;
            }
        }
        for association in before.iter().filter(|a| !wanted.contains_key(a)) {
            encryption::remove(&self.stage, *association)?;
        }
        *known = Some(wanted.into_keys().collect());
        Ok(())
    }
}
