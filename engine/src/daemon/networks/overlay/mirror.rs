//! What the store said last, in memory.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cluster::{Change, Event, KeyValue};
use crate::network::encryption::KEY;

use super::super::record::NetworkRecord;
use super::Place;
use super::keys::{Key, Keys};

/// Everything that engines share.
#[derive(Debug, Default)]
pub(super) struct Mirror {
    /// By id.
    pub(super) networks: BTreeMap<String, NetworkRecord>,
    /// By network id and endpoint id.
    pub(super) places: BTreeMap<(String, String), Leased<Place>>,
    /// By network id and address.
    pub(super) addresses: BTreeMap<(String, String), Leased<Owner>>,
    /// By the addresses of sender and receiver.
    pub(super) secrets: BTreeMap<(String, String), Leased<Secret>>,
}

/// A value, and the lease it ends with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leased<T> {
    pub(super) value: T,
    pub(super) lease: i64,
}

/// Who has an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owner {
    /// Id of the engine.
    pub(super) engine: String,
    /// Which place of it.
    pub(super) endpoint: String,
}

/// What one host encrypts with for another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Secret {
    /// Number of the security association.
    pub(super) spi: u32,
    /// Key and salt.
    pub(super) key: [u8; KEY],
}

impl Mirror {
    /// What these keys say.
    pub(super) fn of(keys: &Keys, all: Vec<KeyValue>) -> Self {
        let mut mirror = Self::default();
        for entry in all {
            mirror.put(keys, &entry);
        }
        mirror
    }

    pub(super) fn apply(&mut self, keys: &Keys, events: Vec<Event>) {
        for event in events {
            match event {
                Event::Put(entry) => self.put(keys, &entry),
                Event::Deleted(key) => self.delete(keys, &key),
            }
        }
    }

    /// What has just been done, before the store tells of it.
    pub(super) fn expect(&mut self, keys: &Keys, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Put { key, value, lease } => {
                    let entry = KeyValue {
                        key: key.clone(),
                        value: value.clone(),
                        lease: *lease,
                        ..KeyValue::default()
                    };
                    self.put(keys, &entry);
                }
                Change::Delete(key) => self.delete(keys, key),
                // Only with a network, of which nothing is left.
                Change::DeleteBelow(_) => {}
            }
        }
    }

    fn put(&mut self, keys: &Keys, entry: &KeyValue) {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let done = match keys.parse(&entry.key) {
            Some(Key::Network(id)) => serde_json::from_slice(&entry.value).map(|network| {
                self.networks.insert(id.to_owned(), network);
            }),
            Some(Key::Place { network, endpoint }) => leased(entry).map(|place| {
                self.places.insert(pair(network, endpoint), place);
            }),
            Some(Key::Address { network, address }) => leased(entry).map(|owner| {
                self.addresses.insert(pair(network, address), owner);
            }),
            Some(Key::Secret { from, to }) => leased(entry).map(|secret| {
                self.secrets.insert(pair(from, to), secret);
            }),
            None => Ok(()),
        };
        if let Err(error) = done {
            // Somebody else's writing: what it is about stays as it was.
            tracing::warn!(
                "the key {} of the cluster store makes no sense: {error}",
                entry.key
            );
        }
    }

    fn delete(&mut self, keys: &Keys, key: &str) {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        match keys.parse(key) {
            Some(Key::Network(id)) => drop(self.networks.remove(id)),
            Some(Key::Place { network, endpoint }) => {
                self.places.remove(&pair(network, endpoint));
            }
            Some(Key::Address { network, address }) => {
                self.addresses.remove(&pair(network, address));
            }
            Some(Key::Secret { from, to }) => {
                self.secrets.remove(&pair(from, to));
            }
            None => {}
        }
    }

    /// The places that other engines have in a network.
    pub(super) fn remote<'a>(
        &'a self,
        network: &'a str,
        engine: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Place)> {
        self.places
            .range((network.to_owned(), String::new())..)
            .take_while(move |((id, _), _)| id == network)
            .filter(move |(_, place)| place.value.engine != engine)
            .map(|((_, endpoint), place)| (endpoint.as_str(), &place.value))
    }
}

fn leased<T: for<'a> Deserialize<'a>>(entry: &KeyValue) -> Result<Leased<T>, serde_json::Error> {
    Ok(Leased {
        value: serde_json::from_slice(&entry.value)?,
        lease: entry.lease,
    })
}
