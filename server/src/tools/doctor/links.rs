//! Which kinds of network interfaces and protocols the kernel has, asked in a namespace that ends with the question.

use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::Path;

use kernel::error::SysError;
use kernel::fs::{self, Access};
use kernel::namespace::{Namespaces, unshare};
use kernel::netlink::link::{self, Birth, Ipvlan, Macvlan, Vxlan};
use kernel::netlink::xfrm::{self, Association};
use kernel::process::effective_uid;
use kernel::reservation::{self, Transport};

use super::finding::{Finding, Level};

/// What the drivers of networks need, by the name of the finding.
const KINDS: [&str; 7] = [
    "link-macvlan",
    "link-ipvlan",
    "link-vlan",
    "link-vxlan",
    "link-wireguard",
    "ipsec-esp",
    "sctp",
];

/// The interface that the others are tried on.
const BASE: &str = "probe";

/// Makes one interface of each kind, and lets it go.
pub(super) fn questions() -> Vec<Finding> {
    if effective_uid() != 0 {
        return KINDS.map(|name| Finding::new(name, Level::Unknown)).into();
    }
    // The network namespace of a thread is its own, and goes with it.
    let asked = std::thread::spawn(|| {
        let ready = unshare(Namespaces::NETWORK).and_then(|()| link::add_bridge(BASE));
        ready.map(|()| KINDS.map(|name| (name, make(name))))
    });
    let answers = match asked.join() {
        Ok(Ok(answers)) => answers.into_iter().collect(),
        Ok(Err(error)) => {
            let why = crate::error::chain(&error);
            return KINDS
                .map(|name| Finding::new(name, Level::Warn).with("why", &why))
                .into();
        }
        Err(_) => Vec::new(),
    };
    answers.into_iter().map(finding).collect()
}

fn make(kind: &str) -> Result<(), SysError> {
    let here = fs::open(Path::new("/proc/thread-self/ns/net"), Access::Read)?;
    let birth = Birth {
        name: "child",
        namespace: here.as_fd(),
    };
    let mac = [2, 0, 0, 0, 0, 1];
    let vxlan = Vxlan {
        id: 1,
        local: Ipv4Addr::LOCALHOST.into(),
        port: 4789,
    };
    match kind {
        "link-macvlan" => link::add_macvlan(BASE, birth, mac, Macvlan::Bridge)?,
        "link-ipvlan" => link::add_ipvlan(BASE, birth, Ipvlan::L2)?,
        "link-vlan" => link::add_vlan(BASE, birth.name, 10)?,
        "link-wireguard" => link::add_wireguard(birth.name)?,
        "ipsec-esp" => {
            let own = Ipv4Addr::LOCALHOST.into();
            let probe = Association {
                from: own,
                to: own,
                spi: 256,
            };
            xfrm::add_association(probe, &[0; xfrm::KEY])?;
            return xfrm::remove_association(probe);
        }
        "sctp" => {
            let any = (Ipv4Addr::UNSPECIFIED, 0).into();
            return reservation::reserve(any, Transport::Sctp).map(drop);
        }
        _ => link::add_vxlan(birth.name, vxlan, BASE, None)?,
    }
    // The next kind needs the parent for itself.
    link::delete(birth.name)
}

fn finding((name, made): (&'static str, Result<(), SysError>)) -> Finding {
    match made {
        Ok(()) => Finding::new(name, Level::Good),
        Err(error) => Finding::new(name, Level::Warn).with("why", &error.source),
    }
}
