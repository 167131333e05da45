//! Networks over the wire: who is where, what is refused, which names are answered.

use serde_json::{Value, json};

use crate::cases::Case;
use crate::client::Client;

pub(crate) const CASES: [Case; 9] = [
    ("a_network_is_told_as_it_was_asked_for", told),
    ("wrong_networks_are_refused_and_leave_nothing", refused),
    (
        "fixed_addresses_are_given_once_and_come_back",
        fixed_addresses,
    ),
    (
        "an_address_that_comes_back_leads_to_its_new_owner",
        comes_back,
    ),
    ("a_running_container_joins_and_leaves", joins_and_leaves),
    ("names_are_answered_inside_their_networks_only", names),
    (
        "a_port_of_a_dual_stack_network_is_published_twice",
        dual_stack,
    ),
    ("a_container_reaches_its_own_published_port", hairpin),
    ("a_macvlan_container_is_on_its_parents_link", macvlan),
];

fn create(client: &Client, body: &Value) -> (u16, Value) {
    let answer = client.post("/networks/create", body);
    (answer.status, answer.json())
}

#[track_caller]
fn make(client: &Client, body: &Value) {
    let (status, answer) = create(client, body);
    assert_eq!(status, 201, "{answer}");
}

/// Runs a command in a container; gives its output.
fn inside(client: &Client, container: &str, line: &str) -> String {
    let wish = json!({ "Cmd": ["sh", "-c", line], "AttachStdout": true, "AttachStderr": true });
    let exec = client
        .post(&format!("/containers/{container}/exec"), &wish)
        .json();
    let id = exec["Id"].as_str().unwrap().to_owned();
    let (out, err) = client
        .post(&format!("/exec/{id}/start"), &json!({}))
        .output();
    out + &err
}

fn start(client: &Client, name: &str, body: &Value) {
    let mut body = body.clone();
    body["Cmd"] = json!(["sleep", "600"]);
    client.create(name, &body);
    let answer = client.post(&format!("/containers/{name}/start"), &Value::Null);
    assert_eq!(
        answer.status,
        204,
        "{}",
        String::from_utf8_lossy(&answer.body)
    );
}

fn remove(client: &Client, containers: &[&str], networks: &[&str]) {
    for name in containers {
        client.delete(&format!("/containers/{name}?force=1"));
    }
    for name in networks {
        assert_eq!(
            client.delete(&format!("/networks/{name}")).status,
            204,
            "{name}"
        );
    }
}

fn told(client: &Client) {
    let body = json!({
        "Name": "told", "Driver": "bridge", "EnableIPv6": true, "Internal": true,
        "IPAM": { "Config": [
            { "Subnet": "10.77.0.0/24", "Gateway": "10.77.0.9", "IPRange": "10.77.0.128/25",
              "AuxiliaryAddresses": { "a": "10.77.0.130" } },
            { "Subnet": "fd77::/64" },
        ] },
        "Options": { "com.docker.network.bridge.name": "told0", "com.docker.network.driver.mtu": "1400" },
        "Labels": { "x": "y" },
    });
    make(client, &body);
    let network = client.get("/networks/told").json();
    assert_eq!(network["IPAM"]["Config"], body["IPAM"]["Config"]);
    assert_eq!(network["EnableIPv6"], true);
    assert_eq!(network["Internal"], true);
    assert_eq!(network["ConfigFrom"], json!({ "Network": "" }));
    assert!(std::path::Path::new("/proc/sys/net/ipv4/conf/told0").exists());
    let listed = |filter: &str| {
        let filter = filter
            .replace('{', "%7B")
            .replace('}', "%7D")
            .replace('"', "%22");
        let all = client.get(&format!("/networks?filters={filter}")).json();
        all.as_array().unwrap().iter().any(|n| n["Name"] == "told")
    };
    for yes in [
        r#"{"name":["tol"]}"#,
        r#"{"label":["x=y"]}"#,
        r#"{"type":["custom"]}"#,
        r#"{"dangling":["true"]}"#,
    ] {
        assert!(listed(yes), "{yes}");
    }
    for no in [
        r#"{"driver":["host"]}"#,
        r#"{"label":["x=z"]}"#,
        r#"{"scope":["swarm"]}"#,
    ] {
        assert!(!listed(no), "{no}");
    }
    assert_eq!(client.get("/networks/told?scope=swarm").status, 404);
    remove(client, &[], &["told"]);
    assert!(!std::path::Path::new("/proc/sys/net/ipv4/conf/told0").exists());
}

fn refused(client: &Client) {
    let subnet = |text: &str| json!({ "Config": [{ "Subnet": text }] });
    make(
        client,
        &json!({ "Name": "first", "IPAM": subnet("10.78.0.0/24") }),
    );
    let cases = [
        (
            json!({ "Name": "first" }),
            409,
            "network with name first already exists",
        ),
        (json!({ "Name": "" }), 400, "invalid name: "),
        (
            json!({ "Name": "bridge" }),
            403,
            "operation is not permitted on predefined bridge network",
        ),
        (
            json!({ "Name": "n", "Driver": "nodriver" }),
            404,
            "plugin \"nodriver\" not found",
        ),
        (
            json!({ "Name": "n", "Driver": "host" }),
            403,
            "only one instance of \"host\" network is allowed",
        ),
        (
            json!({ "Name": "n", "IPAM": subnet("10.78.0.0/25") }),
            403,
            "Pool overlaps with other one on this address space",
        ),
        (
            json!({ "Name": "n", "IPAM": subnet("10.79.0.0/33") }),
            400,
            "invalid network config:\ninvalid subnet 10.79.0.0/33: invalid CIDR block notation",
        ),
        (
            json!({ "Name": "n", "Options": { "com.docker.network.bridge.enable_icc": "zzz" } }),
            400,
            "failed to parse com.docker.network.bridge.enable_icc value: zzz (strconv.ParseBool: parsing \"zzz\": invalid syntax)",
        ),
    ];
    for (body, status, message) in cases {
        let (told, answer) = create(client, &body);
        assert_eq!(
            (told, answer["message"].as_str().unwrap()),
            (status, message),
            "{body}"
        );
    }
    let own = client.get("/networks").json().as_array().unwrap().len();
    assert_eq!(own, 4, "nothing is half-created");
    assert_eq!(client.delete("/networks/bridge").status, 403);
    remove(client, &[], &["first"]);
}

fn fixed_addresses(client: &Client) {
    make(
        client,
        &json!({ "Name": "fixed", "IPAM": { "Config": [{ "Subnet": "10.80.0.0/30" }] } }),
    );
    let wish = |address: &str| {
        json!({
            "Cmd": ["sleep", "600"],
            "HostConfig": { "NetworkMode": "fixed" },
            "NetworkingConfig": { "EndpointsConfig": { "fixed": {
                "IPAMConfig": { "IPv4Address": address }, "MacAddress": "02:42:de:ad:be:ef" } } },
        })
    };
    start(client, "one", &wish("10.80.0.2"));
    let mac = inside(client, "one", "cat /sys/class/net/eth0/address");
    assert_eq!(mac.trim(), "02:42:de:ad:be:ef");
    client.create("two", &wish("10.80.0.2"));
    let taken = client.post("/containers/two/start", &Value::Null);
    assert_eq!(
        (taken.status, taken.message()),
        (403, "Address already in use".to_owned())
    );
    client.create(
        "three",
        &json!({ "HostConfig": { "NetworkMode": "fixed" } }),
    );
    let full = client.post("/containers/three/start", &Value::Null);
    assert!(
        full.message().starts_with("no available IPv4 addresses"),
        "{}",
        full.message()
    );
    let mut outside = wish("10.81.0.2");
    outside["Image"] = "busybox".into();
    let refused = client.post("/containers/create", &outside);
    assert_eq!(refused.status, 400);
    assert!(
        refused
            .message()
            .ends_with("no configured subnet or ip-range contain the IP address 10.81.0.2")
    );
    remove(client, &["one"], &[]);
    assert_eq!(
        client.post("/containers/two/start", &Value::Null).status,
        204,
        "it came back"
    );
    assert_eq!(
        client.delete("/networks/fixed").status,
        403,
        "somebody is in it"
    );
    remove(client, &["two", "three"], &["fixed"]);
}

/// The kernel removes the interface of a container that has ended in its own time; nobody may reach it by then.
fn comes_back(client: &Client) {
    let ipam = json!({ "Config": [{ "Subnet": "10.79.0.0/24" }] });
    make(client, &json!({ "Name": "back", "IPAM": ipam }));
    let host = json!({ "NetworkMode": "back" });
    start(
        client,
        "asks",
        &json!({ "Image": "busybox", "HostConfig": host }),
    );
    for round in ["1", "2", "3"] {
        let place = json!({ "back": { "IPAMConfig": { "IPv4Address": "10.79.0.7" } } });
        let body = json!({ "Image": "busybox", "HostConfig": host, "NetworkingConfig": { "EndpointsConfig": place } });
        start(client, "owner", &body);
        let serve = format!(
            "echo {round} > /answer; busybox httpd -p 80 -h /; for n in 1 2 3 4 5; do busybox wget -qO- http://127.0.0.1/answer && break; sleep 1; done"
        );
        inside(client, "owner", &serve);
        let answer = inside(client, "asks", "busybox wget -qO- http://10.79.0.7/answer");
        assert_eq!(answer.trim(), round);
        remove(client, &["owner"], &[]);
    }
    remove(client, &["asks"], &["back"]);
}

fn joins_and_leaves(client: &Client) {
    make(client, &json!({ "Name": "second" }));
    start(client, "joiner", &json!({}));
    let join = json!({ "Container": "joiner", "EndpointConfig": { "Aliases": ["also"] } });
    assert_eq!(client.post("/networks/second/connect", &join).status, 200);
    assert_eq!(client.post("/networks/second/connect", &join).status, 403);
    let links = inside(client, "joiner", "ls /sys/class/net");
    assert_eq!(
        links.split_whitespace().collect::<Vec<_>>(),
        ["eth0", "eth1", "lo"]
    );
    let told = client.get("/containers/joiner/json").json();
    let place = &told["NetworkSettings"]["Networks"]["second"];
    assert_eq!(
        (&place["DNSNames"][0], &place["DNSNames"][1]),
        (&json!("joiner"), &json!("also"))
    );
    let hosts = inside(client, "joiner", "cat /etc/hosts /etc/resolv.conf");
    assert!(
        hosts.contains(place["IPAddress"].as_str().unwrap()),
        "{hosts}"
    );
    assert!(hosts.contains("nameserver 127.0.0.11"), "{hosts}");
    // The first network goes, and the way out with it: the second one offers another.
    let leave = json!({ "Container": "joiner" });
    assert_eq!(
        client.post("/networks/bridge/disconnect", &leave).status,
        200
    );
    let routes = inside(client, "joiner", "busybox ip route");
    let gateway = place["Gateway"].as_str().unwrap();
    assert!(
        routes.contains(&format!("default via {gateway} dev eth1")),
        "{routes}"
    );
    assert_eq!(
        client.post("/networks/second/disconnect", &leave).status,
        200
    );
    assert_eq!(
        client.post("/networks/second/disconnect", &leave).status,
        403
    );
    assert_eq!(inside(client, "joiner", "ls /sys/class/net").trim(), "lo");
    remove(client, &["joiner"], &["second"]);
}

fn names(client: &Client) {
    make(client, &json!({ "Name": "front" }));
    make(client, &json!({ "Name": "back" }));
    let wish = |network: &str, aliases: &[&str], links: &[&str]| {
        json!({
            "HostConfig": { "NetworkMode": network, "Dns": ["127.9.9.9"] },
            "NetworkingConfig": { "EndpointsConfig": { network: { "Aliases": aliases, "Links": links } } },
        })
    };
    start(client, "web-1", &wish("front", &["web"], &[]));
    start(client, "web-2", &wish("front", &["web"], &["web-1:linked"]));
    start(client, "db", &wish("back", &[], &[]));
    let look = |container: &str, name: &str| {
        inside(
            client,
            container,
            &format!("busybox nslookup {name} 127.0.0.11"),
        )
    };
    let address = |name: &str, network: &str| {
        let told = client.get(&format!("/containers/{name}/json")).json();
        told["NetworkSettings"]["Networks"][network]["IPAddress"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (first, second) = (address("web-1", "front"), address("web-2", "front"));
    let both = look("web-1", "web");
    assert!(both.contains(&first) && both.contains(&second), "{both}");
    let linked = look("web-2", "linked");
    assert!(
        linked.contains(&first) && !linked.contains(&second),
        "{linked}"
    );
    assert!(!look("web-1", "linked").contains(&first));
    assert!(look("web-1", &second).contains("web-2.front"));
    assert!(!look("web-1", "db").contains(&address("db", "back")));
    // Who joins is known at once, who ends is forgotten at once.
    client.post("/networks/back/connect", &json!({ "Container": "web-1" }));
    assert!(look("web-1", "db").contains(&address("db", "back")));
    assert!(look("db", "web-1").contains(&address("web-1", "back")));
    remove(client, &["web-2"], &[]);
    assert!(!look("web-1", "web").contains(&second));
    remove(client, &["web-1", "db"], &["front", "back"]);
}

fn dual_stack(client: &Client) {
    make(client, &json!({ "Name": "dual", "EnableIPv6": true }));
    let wish = json!({
        "HostConfig": { "NetworkMode": "dual", "PortBindings": { "80/tcp": [{ "HostPort": "" }] } },
        "ExposedPorts": { "80/tcp": {} },
    });
    start(client, "served", &wish);
    let settings = client.get("/containers/served/json").json()["NetworkSettings"].clone();
    let ports = settings["Ports"]["80/tcp"].as_array().unwrap().clone();
    assert_eq!(ports[0]["HostPort"], ports[1]["HostPort"]);
    assert_eq!(
        (&ports[0]["HostIp"], &ports[1]["HostIp"]),
        (&json!("0.0.0.0"), &json!("::"))
    );
    assert!(
        settings["Networks"]["dual"]["GlobalIPv6Address"]
            .as_str()
            .unwrap()
            .starts_with("fd")
    );
    let rules = client.get("/quai/network-rules").json();
    let published = rules
        .as_array()
        .unwrap()
        .iter()
        .filter(|r| r["Chain"] == "published");
    assert_eq!(published.count(), 2, "{rules}");
    // The port is held: neither another container nor another program gets it.
    let port: u16 = ports[0]["HostPort"].as_str().unwrap().parse().unwrap();
    assert!(std::net::TcpListener::bind(("0.0.0.0", port)).is_err());
    let same = json!({ "HostConfig": { "PortBindings": { "81/tcp": [{ "HostPort": port.to_string() }] } } });
    client.create("late", &same);
    let refused = client.post("/containers/late/start", &Value::Null);
    let words = format!("Bind for 0.0.0.0:{port} failed: port is already allocated");
    assert!(refused.message().ends_with(&words), "{}", refused.message());
    remove(client, &["served", "late"], &["dual"]);
    assert!(std::net::TcpListener::bind(("0.0.0.0", port)).is_ok());
}

fn hairpin(client: &Client) {
    make(client, &json!({ "Name": "loop" }));
    let wish = json!({
        "Cmd": ["sh", "-c", "echo served > /page; exec busybox httpd -f -p 80 -h /"],
        "HostConfig": { "NetworkMode": "loop", "CapAdd": ["NET_ADMIN"], "PortBindings": { "80/tcp": [{ "HostPort": "" }] } },
        "ExposedPorts": { "80/tcp": {} },
    });
    client.create("hairpin", &wish);
    assert_eq!(
        client
            .post("/containers/hairpin/start", &Value::Null)
            .status,
        204
    );
    let told = client.get("/containers/hairpin/json").json()["NetworkSettings"].clone();
    let port = told["Ports"]["80/tcp"][0]["HostPort"]
        .as_str()
        .unwrap()
        .to_owned();
    let gateway = told["Networks"]["loop"]["Gateway"]
        .as_str()
        .unwrap()
        .to_owned();
    let line = format!(
        "for n in 1 2 3 4 5; do busybox wget -qO- http://{gateway}:{port}/page && break; sleep 1; done"
    );
    let page = inside(client, "hairpin", &line);
    assert!(page.ends_with("served\n"), "{page}");
    // Of the host's own loopback a container sees nothing, though the bridge lets the host in.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    let line = format!(
        "busybox ip route add 127.0.0.0/8 via {gateway}; busybox wget -T 2 -qO- http://127.0.0.1:{own}/ 2>&1"
    );
    inside(client, "hairpin", &line);
    listener.set_nonblocking(true).unwrap();
    assert!(
        listener.accept().is_err(),
        "a container reached the host's loopback"
    );
    remove(client, &["hairpin"], &["loop"]);
}

fn macvlan(client: &Client) {
    use std::os::fd::AsFd;
    let here = std::fs::File::open("/proc/self/ns/net").unwrap();
    let peer = kernel::netlink::link::Peer {
        name: "mv1",
        mac: [2, 0, 0, 0, 0, 9],
        namespace: here.as_fd(),
    };
    kernel::netlink::link::add_veth("mv0", &peer).unwrap();
    kernel::netlink::link::set_up("mv0").unwrap();
    kernel::netlink::link::set_up("mv1").unwrap();
    kernel::netlink::address::add("mv1", std::net::Ipv4Addr::new(10, 91, 0, 1), 24).unwrap();
    let ipam = json!({ "Config": [{ "Subnet": "10.91.0.0/24", "Gateway": "10.91.0.1" }] });
    let options = |parent: &str| json!({ "parent": parent });
    let wrong =
        json!({ "Name": "mac", "Driver": "macvlan", "IPAM": ipam, "Options": options("nothing") });
    assert_eq!(create(client, &wrong).0, 400);
    make(
        client,
        &json!({ "Name": "mac", "Driver": "macvlan", "IPAM": ipam, "Options": options("mv0") }),
    );
    let second = json!({ "Name": "mac2", "Driver": "macvlan", "Options": options("mv0") });
    assert_eq!(create(client, &second).0, 403, "one network on one parent");
    let wish = json!({ "Cmd": ["sleep", "600"], "HostConfig": { "NetworkMode": "mac" } });
    client.create("direct", &wish);
    let started = client.post("/containers/direct/start", &Value::Null);
    if started.status != 204 && started.message().contains("this kernel has no macvlan") {
        println!(
            "SKIP a_macvlan_container_is_on_its_parents_link: {}",
            started.message()
        );
    } else {
        assert_eq!(started.status, 204);
        let ping = inside(client, "direct", "busybox ping -c 1 -W 5 10.91.0.1");
        assert!(ping.contains("1 packets received"), "{ping}");
        let leave = json!({ "Container": "direct" });
        assert_eq!(client.post("/networks/mac/disconnect", &leave).status, 200);
        assert_eq!(inside(client, "direct", "ls /sys/class/net").trim(), "lo");
    }
    remove(client, &["direct"], &["mac"]);
    kernel::netlink::link::delete("mv0").unwrap();
}
