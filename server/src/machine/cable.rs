//! The private link of two machines of one exercise: a veth pair from one to the other.
//!
//! Nobody else is on it, the host neither: both ends are born in the machines' outer stages, and
//! each keeper moves its own inside.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

/// The link's name in both machines.
pub(crate) const INSIDE: &str = "eth1";
/// Length of its network.
pub(crate) const LENGTH: u8 = 24;

/// Which end of the link a machine has, and what the machines are called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cable {
    /// 1 or 2.
    pub(crate) place: Place,
    /// Names of both machines, in order.
    pub(crate) hosts: [String; 2],
}

/// An end of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub(crate) enum Place {
    /// The first machine's.
    First,
    /// The second one's.
    Second,
}

/// A number that is no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a link has the ends 1 and 2, not {0}")]
pub(crate) struct NoEnd(u8);

impl TryFrom<u8> for Place {
    type Error = NoEnd;

    fn try_from(number: u8) -> Result<Self, NoEnd> {
        match number {
            1 => Ok(Self::First),
            2 => Ok(Self::Second),
            other => Err(NoEnd(other)),
        }
    }
}

impl From<Place> for u8 {
    fn from(place: Place) -> Self {
        match place {
            Place::First => 1,
            Place::Second => 2,
        }
    }
}

impl Place {
    /// Both, in order.
    pub(crate) const ALL: [Self; 2] = [Self::First, Self::Second];

    /// The other end.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }

    /// Its address: the same in every exercise, so that statements can name it.
    pub(crate) fn address(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 9, 0, self.into())
    }

    /// Its MAC address, known beforehand as well.
    pub(crate) fn mac(self) -> [u8; 6] {
        [0x02, 0x71, 10, 9, 0, self.into()]
    }
}

impl Cable {
    /// What this machine is called.
    pub(crate) fn host(&self) -> &str {
        &self.hosts[usize::from(u8::from(self.place)) - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_has_two_ends() {
        let line = r#"{"place":2,"hosts":["un","deux"]}"#;
        let cable: Cable = serde_json::from_str(line).unwrap();
        assert_eq!(cable.host(), "deux");
        assert_eq!(cable.place.address(), Ipv4Addr::new(10, 9, 0, 2));
        assert_eq!(cable.place.other(), Place::First);
        let third = r#"{"place":3,"hosts":["un","deux"]}"#;
        assert!(serde_json::from_str::<Cable>(third).is_err());
    }
}
