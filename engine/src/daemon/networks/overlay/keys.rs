//! The names of keys in the store.

/// All keys of engines that share networks.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    prefix: String,
}

/// What a key is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key<'a> {
    /// A network, by id.
    Network(&'a str),
    /// A container's place in a network.
    Place { network: &'a str, endpoint: &'a str },
    /// An address that is taken in a network.
    Address { network: &'a str, address: &'a str },
    /// What one host encrypts with for another, by their addresses.
    Secret { from: &'a str, to: &'a str },
}

impl Keys {
    pub(super) fn below(prefix: &str) -> Self {
        // Another arrangement of keys will have another number.
        Self {
            prefix: format!("{prefix}overlay/1/"),
        }
    }

    /// What all keys begin with.
    pub(super) fn all(&self) -> &str {
        &self.prefix
    }

    /// Changes with each network that comes or goes: whoever makes one compares it.
    pub(super) fn generation(&self) -> String {
        format!("{}generation", self.prefix)
    }

    pub(super) fn networks(&self) -> String {
        format!("{}network/", self.prefix)
    }

    pub(super) fn network(&self, id: &str) -> String {
        format!("{}network/{id}", self.prefix)
    }

    pub(super) fn places(&self, network: &str) -> String {
        format!("{}place/{network}/", self.prefix)
    }

    pub(super) fn place(&self, network: &str, endpoint: &str) -> String {
        format!("{}place/{network}/{endpoint}", self.prefix)
    }

    pub(super) fn addresses(&self, network: &str) -> String {
        format!("{}address/{network}/", self.prefix)
    }

    pub(super) fn address(&self, network: &str, address: std::net::IpAddr) -> String {
        format!("{}address/{network}/{address}", self.prefix)
    }

    pub(super) fn secret(&self, from: std::net::IpAddr, to: std::net::IpAddr) -> String {
        format!("{}secret/{from}/{to}", self.prefix)
    }

    /// What a key is about; `None` for one that somebody else made.
    pub(super) fn parse<'a>(&self, key: &'a str) -> Option<Key<'a>> {
        let rest = key.strip_prefix(&self.prefix)?;
        let (kind, rest) = rest.split_once('/')?;
        let pair = || rest.split_once('/').filter(|(_, last)| !last.contains('/'));
        match kind {
            "network" if !rest.contains('/') => Some(Key::Network(rest)),
            "place" => pair().map(|(network, endpoint)| Key::Place { network, endpoint }),
            "address" => pair().map(|(network, address)| Key::Address { network, address }),
            "secret" => pair().map(|(from, to)| Key::Secret { from, to }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_written() {
        let keys = Keys::below("quai/");
        let place = keys.place("n", "e");
        assert_eq!(
            keys.parse(&place),
            Some(Key::Place {
                network: "n",
                endpoint: "e"
            })
        );
        let network = keys.network("n");
        assert_eq!(keys.parse(&network), Some(Key::Network("n")));
        let address = keys.address("n", [10, 0, 0, 2].into());
        assert!(matches!(
            keys.parse(&address),
            Some(Key::Address {
                address: "10.0.0.2",
                ..
            })
        ));
        assert_eq!(keys.parse("other/key"), None);
        assert_eq!(keys.parse(&keys.generation()), None);
    }
}
