//! Networks by hand in a learner's machine: what the course's network module has its readers type.

use crate::bare::Bare;

#[test]
fn networks_are_built_by_hand_in_a_machine() {
    let Some(machine) = Bare::start("networks_are_built_by_hand_in_a_machine") else {
        return;
    };
    pair(&machine);
    bridge(&machine);
    translation(&machine);
    tunnel(&machine);
    direct(&machine);
}

/// Two network namespaces and a veth pair; neighbours, addresses, counters, a capture.
fn pair(machine: &Bare) {
    machine.does(
        "ip netns add gauche; ip netns add droite
         ip link add vg type veth peer name vd
         ip link set vg netns gauche; ip link set vd netns droite
         ip -n gauche address add 10.1.0.1/24 dev vg; ip -n gauche link set vg up
         ip -n droite address add 10.1.0.2/24 dev vd; ip -n droite link set vd up
         ip netns exec gauche ping -c 2 -i 0.2 -W 5 10.1.0.2",
    );
    machine.does("ip netns exec droite arping -c 1 -w 5 -I vd 10.1.0.1");
    machine.does("ip -n gauche neighbour show 10.1.0.2 | grep -E 'REACHABLE|STALE|DELAY|PROBE'");
    machine.does("test $(ip netns exec gauche cat /sys/class/net/vg/statistics/rx_packets) -gt 0");
    machine.does("ip netns exec gauche ethtool -i vg | grep 'driver: veth'");
    let seen = machine.does(
        "ip netns exec droite timeout 20 tcpdump -c 2 -nn -i vd icmp >/root/vu 2>/root/dit &
         until grep -q listening /root/dit; do sleep 0.1; done
         ip netns exec gauche ping -c 2 -i 0.2 10.1.0.2 >/dev/null; wait; cat /root/vu",
    );
    assert!(
        seen.contains("10.1.0.1 > 10.1.0.2: ICMP echo request"),
        "{seen}"
    );
}

/// A bridge with a gateway and two hosts on it.
fn bridge(machine: &Bare) {
    machine.does(
        "ip link add pont type bridge; ip address add 10.2.0.1/24 dev pont; ip link set pont up
         for n in 2 3; do
           ip netns add h$n; ip link add v$n type veth peer name eth0 netns h$n
           ip link set v$n master pont up
           ip -n h$n address add 10.2.0.$n/24 dev eth0; ip -n h$n link set eth0 up
           ip -n h$n route add default via 10.2.0.1
         done
         ip netns exec h2 ping -c 1 -W 5 10.2.0.3; ip netns exec h2 ping -c 1 -W 5 10.2.0.1",
    );
    machine.says(
        "bridge link show | grep -c 'master pont state forwarding'",
        "2",
    );
    machine.does("bridge fdb show br pont | grep -q 'dev v2'");
    machine.does("brctl show pont | grep -q v3");
    // The machine routes between the two networks once it is told to.
    machine.does(
        "sysctl -q -w net.ipv4.ip_forward=1; ip link add vm type veth peer name vx netns gauche
         ip address add 10.3.0.1/24 dev vm; ip link set vm up
         ip -n gauche address add 10.3.0.2/24 dev vx; ip -n gauche link set vx up
         ip netns exec h2 ping -c 1 -W 1 10.3.0.2 && exit 1
         ip -n gauche route add 10.2.0.0/24 via 10.3.0.1; ip netns exec h2 ping -c 1 -W 5 10.3.0.2
         ip -n gauche route del 10.2.0.0/24",
    );
}

/// Translation of addresses, with nft and with iptables, and what the kernel remembers of it.
fn translation(machine: &Bare) {
    machine.does(
        "nft add table ip tp; nft 'add chain ip tp sortie { type nat hook postrouting priority srcnat; }'
         nft add rule ip tp sortie ip saddr 10.2.0.0/24 oifname vm counter masquerade
         ip netns exec h2 ping -c 1 -W 5 10.3.0.2; nft list table ip tp | grep -E 'packets [1-9]'",
    );
    machine.does(
        "nft 'add chain ip tp entree { type nat hook prerouting priority dstnat; }'
         nft add rule ip tp entree tcp dport 8080 dnat to 10.2.0.3:80
         mkdir -p /root/w; echo traduit >/root/w/index.html
         ip netns exec h3 busybox httpd -h /root/w -p 80",
    );
    machine.until(
        "ip netns exec gauche curl -s -m 2 http://10.3.0.1:8080/",
        "traduit",
    );
    machine.does("conntrack -L -p tcp --dport 8080 | grep 'src=10.2.0.3'");
    machine.says("ip netns exec h3 ss -Hltn 'sport = :80' | wc -l", "1");
    machine.does("nft delete table ip tp; conntrack -F");
    machine.fails("ip netns exec gauche curl -s -m 1 http://10.3.0.1:8080/");
    machine.does(
        "iptables -t nat -A PREROUTING -p tcp --dport 8080 -j DNAT --to 10.2.0.3:80
         iptables -A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
         iptables -t nat -A POSTROUTING -s 10.2.0.0/24 -o vm -j MASQUERADE",
    );
    machine.until(
        "ip netns exec gauche curl -s -m 2 http://10.3.0.1:8080/",
        "traduit",
    );
    machine
        .does("iptables -t nat -L PREROUTING -n -v | grep DNAT; iptables -t nat -F; iptables -F");
}

/// VXLAN by hand between two network namespaces, with a static entry for each other.
fn tunnel(machine: &Bare) {
    machine.does(
        "for n in 1 2; do
           [ $n = 1 ] && ns=gauche o=2 || { ns=droite; o=1; }
           ip -n $ns link add vx42 type vxlan id 42 dstport 4789 local 10.1.0.$n nolearning
           ip -n $ns address add 192.168.42.$n/24 dev vx42; ip -n $ns link set vx42 up
           bridge -n $ns fdb append 00:00:00:00:00:00 dev vx42 dst 10.1.0.$o
         done
         ip netns exec droite timeout 20 tcpdump -c 1 -nn -i vd udp port 4789 >/root/vu 2>/root/dit &
         until grep -q listening /root/dit; do sleep 0.1; done
         ip netns exec gauche ping -c 2 -W 5 192.168.42.2; wait",
    );
    let seen = machine.does("cat /root/vu");
    assert!(seen.contains("VXLAN") && seen.contains("vni 42"), "{seen}");
    machine.does("ip netns exec gauche bridge fdb show dev vx42 | grep 'dst 10.1.0.2'");
}

/// Interfaces that share a parent's wire.
fn direct(machine: &Bare) {
    machine.does(
        "for n in 5 6; do
           ip netns add m$n; ip link add mac$n link vm type macvlan mode bridge
           ip link set mac$n netns m$n; ip -n m$n address add 10.3.0.$n/24 dev mac$n
           ip -n m$n link set mac$n up
         done
         ip netns exec m5 ping -c 1 -W 5 10.3.0.6; ip netns exec m5 ping -c 1 -W 5 10.3.0.2",
    );
    // The parent itself is out of its children's reach.
    machine.fails("ip netns exec m5 ping -c 1 -W 1 10.3.0.1");
    machine.does(
        "docker network create -d macvlan --subnet 10.3.0.0/24 --gateway 10.3.0.1 -o parent=vm direct
         docker run --rm --network direct --ip 10.3.0.7 busybox ping -c 1 -W 5 10.3.0.2
         docker network rm direct",
    );
}
