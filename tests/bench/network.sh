# Networks: what a bridge and a published port cost beside the same made by hand, and joining. Programs that measure run
# in the containers' network namespaces, not in their images.
# shellcheck shell=bash disable=SC2317

# A server that swallows what comes at port 5001 and closes at once whom it accepts at port 5002.
# shellcheck disable=SC2016
server='
  use IO::Socket::INET; $SIG{CHLD} = "IGNORE"; $SIG{PIPE} = "IGNORE";
  my ($sink, $door) = map { IO::Socket::INET->new(LocalAddr => "0.0.0.0", LocalPort => $_, Listen => 4096, ReuseAddr => 1) or die $! } 5001, 5002;
  if (my $other = fork) { $SIG{TERM} = sub { kill TERM => $other; exit }; while (1) { my $c = $door->accept or next; close $c } }
  else { while (my $c = $sink->accept) { next if fork; my $b; 1 while sysread $c, $b, 1 << 20; exit } }'
# How many bytes a second go to ADDRESS PORT, in a fifth of a second.
# shellcheck disable=SC2016
pour='
  use IO::Socket::INET; use Time::HiRes "time"; my ($to, $port) = @ARGV;
  my $c = IO::Socket::INET->new(PeerAddr => $to, PeerPort => $port, Timeout => 5) or die "$to:$port $!";
  my ($b, $n, $t0) = ("x" x (1 << 20), 0, time);
  while (time - $t0 < 0.2) { $n += syswrite($c, $b) // die $! } printf "%d\n", $n / (time - $t0)'
# How many connections a second ADDRESS PORT accepts, in a fifth of a second.
# shellcheck disable=SC2016
knock='
  use Socket; use Time::HiRes "time"; my ($to, $port) = @ARGV;
  my ($n, $t0) = (0, time); my $a = sockaddr_in($port, inet_aton($to));
  while (time - $t0 < 0.2) { socket my $s, PF_INET, SOCK_STREAM, 0 or die $!; connect $s, $a or die "$to:$port $!"; my $b; sysread $s, $b, 1; close $s; $n++ }
  printf "%d\n", $n / (time - $t0)'

# hold: a process in a network namespace of its own; its number is left in `held`.
hold() {
  unshare --net -- sleep 3600 &
  held=$!
  pids+=("$held")
  wait_for 5 sh -c "[ \"\$(readlink /proc/$held/ns/net)\" != \"\$(readlink /proc/self/ns/net)\" ]"
  in_net "$held" ip link set lo up
}

# serve PID: the server in the network namespace of a process. Without a subshell, so that the number is perl's.
serve() {
  nsenter --net="/proc/$1/ns/net" -- perl -e "$server" &
  pids+=("$!")
}

# join HOST: a client beside a host's namespace, 10.99.0.2 – 10.99.0.1; its number is left in `client`.
join() {
  hold
  client=$held
  in_net "$1" ip link add out type veth peer name eth0 netns "$client"
  in_net "$1" ip addr add 10.99.0.1/24 dev out
  in_net "$1" ip link set out up
  in_net "$client" ip addr add 10.99.0.2/24 dev eth0
  in_net "$client" ip link set eth0 up
}

# Two hosts on a bridge and a port that leads to one of them, by hand: what everybody is compared with.
# Sets bare_{client,left,to}.
by_hand() {
  local host n
  hold; host=$held
  join "$host"; bare_client=$client
  in_net "$host" sh -c 'ip link add bench0 type bridge; ip addr add 10.88.0.1/24 dev bench0; ip link set bench0 up; echo 1 >/proc/sys/net/ipv4/ip_forward'
  for n in 2 3; do
    hold
    in_net "$host" ip link add "v$n" type veth peer name eth0 netns "$held"
    in_net "$host" ip link set "v$n" master bench0 up
    in_net "$held" ip addr add "10.88.0.$n/24" dev eth0
    in_net "$held" ip link set eth0 up
    in_net "$held" ip route add default via 10.88.0.1
    [ "$n" = 2 ] && bare_left=$held
  done
  serve "$held"
  in_net "$host" nft -f - <<'RULES'
    table ip bare {
      chain arrives { type nat hook prerouting priority -100; fib daddr type local tcp dport { 5001, 5002 } dnat to 10.88.0.3; }
      chain leaves { type nat hook postrouting priority 100; ip saddr 10.88.0.0/24 oifname != "bench0" masquerade; }
      chain passes { type filter hook forward priority 0; ct state established,related accept; ct status dnat accept; oifname "bench0" iifname != "bench0" drop; }
    }
RULES
  bare_to=10.88.0.3
}

# containers NAME COMMAND PID: the same with an engine whose command line is COMMAND and whose process is PID. Sets
# NAME_{client,left,to}.
containers() {
  local name=$1 command=$2 pid=$3 right
  "$command" network create bench >/dev/null || return 1
  "$command" run -d --name bench-left --network bench busybox sleep 3600 >/dev/null || return 1
  "$command" run -d --name bench-right --network bench -p 5001:5001 -p 5002:5002 busybox sleep 3600 >/dev/null || return 1
  right=$("$command" inspect -f '{{.State.Pid}}' bench-right)
  serve "$right"
  join "$pid"
  printf -v "${name}_client" %s "$client"
  printf -v "${name}_left" %s "$("$command" inspect -f '{{.State.Pid}}' bench-left)"
  printf -v "${name}_to" %s "$("$command" inspect -f '{{(index .NetworkSettings.Networks "bench").IPAddress}}' bench-right)"
}

podman_engine() {
  CONTAINERS_CONF="$dir/podman.conf" in_net "$podman_host" podman --root "$dir/podman" --runroot "$dir/podman-run" --tmpdir "$dir/podman-tmp" \
    --network-config-dir "$dir/podman-net" --cgroup-manager cgroupfs --events-backend none "$@" 2>>"$dir/errors.log"
}

start_podman() {
  command -v podman >/dev/null || { echo "bench: no podman here: its columns stay empty" >&2; return 1; }
  hold; podman_host=$held
  mkdir -p "$dir"/podman{,-run,-tmp,-net}
  # Its usual limit of open files is more than a host without CAP_SYS_RESOURCE may give.
  printf '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n' >"$dir/podman.conf"
  podman_engine import --change 'CMD ["sh"]' "$dir/rootfs.tar" busybox:latest >/dev/null &&
    containers podman podman_engine "$podman_host" ||
    { echo "bench: podman does not work here: $(tail -n 1 "$dir/errors.log")" >&2; return 1; }
}

# paths WHO…: bytes and connections a second, between containers and through a published port, everybody in turn; in many
# short slices, since what else the processors do comes in bursts.
paths() {
  local round who left client to
  for ((round = 0; round <= 2 * rounds; round++)); do
    for who in "$@"; do
      left=${who}_left client=${who}_client to=${who}_to
      {
        echo "$who pour-inside $(in_net "${!left}" perl -e "$pour" "${!to}" 5001)"
        echo "$who knock-inside $(in_net "${!left}" perl -e "$knock" "${!to}" 5002)"
        echo "$who pour-published $(in_net "${!client}" perl -e "$pour" 10.99.0.1 5001)"
        echo "$who knock-published $(in_net "${!client}" perl -e "$knock" 10.99.0.1 5002)"
      } >>"$dir/paths" 2>>"$dir/errors.log"
    done
    # The first round warms caches and does not count.
    [ "$round" = 0 ] && : >"$dir/paths"
  done
}

# rate WHAT KIND UNIT DIVISOR WHO…: ours beside others; ours must not be less than 0.97 of what was made by hand.
rate() {
  local what=$1 kind=$2 unit=$3 divisor=$4 who ours theirs limit
  ours=$(awk -v k="$kind" '$1 == "quai" && $2 == k { print $3 }' "$dir/paths" | median)
  for who in "${@:5}"; do
    theirs=$(awk -v w="$who" -v k="$kind" '$1 == w && $2 == k { print $3 }' "$dir/paths" | median)
    limit='' && [ "$who" = bare ] && limit=0.97
    awk -v what="$what" -v a="$ours" -v b="$theirs" -v u="$unit" -v d="$divisor" -v who="$who" -v l="$limit" 'BEGIN {
      if (!a || !b) { printf "| %s | not measured: %s failed | | | |\n", what, who; exit }
      r = a / b; want = l ? sprintf("≥ %s %s", l, r >= l ? "✓" : "✗") : ""
      printf "| %s | %.1f %s | %.1f %s (%s) | %.2f | %s |\n", what, a / d, u, b / d, u, who, r, want }'
  done
}

quai_alone() { quai run --rm --network none busybox true; }
quai_joined() { quai run --rm --network bench busybox true; }

bench_network() {
  local who=(bare quai)
  by_hand
  containers quai quai "$engine_pid" || return 1
  if [ -n "$dockerd_socket" ] && containers dockerd peer "$dockerd_pid"; then who+=(dockerd); fi
  if start_podman; then who+=(podman); fi
  sleep 1
  paths "${who[@]}"
  local others=("${who[0]}" "${who[@]:2}")
  rate 'throughput between containers' pour-inside GB/s 1000000000 "${others[@]}"
  rate 'throughput through a published port' pour-published GB/s 1000000000 "${others[@]}"
  rate 'connections between containers' knock-inside /s 1 "${others[@]}"
  rate 'connections through a published port' knock-published /s 1 "${others[@]}"
  interleave "$rounds" quai_alone quai_joined
  fact 'joining a network, added to a start' "$(((times[quai_joined] - times[quai_alone]) / 1000))" ms 5
  if [[ " ${who[*]} " == *" podman "* ]]; then podman_engine rm -f -t 0 bench-left bench-right >/dev/null; fi
}
