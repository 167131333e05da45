# Names, many containers on one network, and an application of five services.
# shellcheck shell=bash disable=SC2317

# The 99th percentile of 2000 questions about NAME to 127.0.0.11, microseconds.
# shellcheck disable=SC2016
ask='
  use IO::Socket::INET; use Time::HiRes "time"; my @t;
  my $q = pack("n6", 7, 0x100, 1, 0, 0, 0) . join("", map { pack "C/a*", $_ } split /\./, $ARGV[0]) . pack("Cnn", 0, 1, 1);
  my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.11", PeerPort => 53, Proto => "udp") or die $!;
  for (1 .. 2000) { my ($r, $t0) = ("", time); send $s, $q, 0; recv $s, $r, 512, 0; unpack("n", substr $r, 6, 2) or die "no answer"; push @t, time - $t0 }
  @t = sort { $a <=> $b } @t; printf "%d\n", $t[1979] * 1e6'

# answers WHAT: how long the resolver of the first container takes.
answers() {
  local question
  question=$(in_net "$(quai inspect -f '{{.State.Pid}}' crowd-1)" perl -e "$ask" crowd-1 2>>"$dir/errors.log")
  fact "$1" "${question:--}" µs 1000
}

compose_file() {
  mkdir -p "$dir/five"
  {
    echo 'services:'
    local n
    for n in one two three four five; do
      echo "  $n: { image: 'busybox:latest', command: 'sleep 3600', networks: [front, back], stop_grace_period: 0s }"
    done
    printf 'networks: { front: {}, back: {} }\n'
  } >"$dir/five/compose.yaml"
  # Version 1 wants to be told which file format it is.
  { echo 'version: "3.7"'; cat "$dir/five/compose.yaml"; } >"$dir/five/v1.yaml"
}
quai_up() { quai compose -p five -f "$dir/five/compose.yaml" up -d; }
peer_up() { DOCKER_HOST="unix://$dockerd_socket" docker-compose -p five -f "$dir/five/v1.yaml" up -d; }
quai_down() { quai compose -p five -f "$dir/five/compose.yaml" down -t 0 >/dev/null 2>&1; }
peer_down() { DOCKER_HOST="unix://$dockerd_socket" docker-compose -p five -f "$dir/five/v1.yaml" down -t 0 >/dev/null 2>&1; }

# The application, in turn; what is taken down does not count.
five_services() {
  local round
  compose_file
  : >"$dir/quai_up.times"; : >"$dir/peer_up.times"
  for ((round = 0; round < 5; round++)); do
    once quai_up && echo "$taken" >>"$dir/quai_up.times"
    quai_down
    [ -n "$dockerd_socket" ] && command -v docker-compose >/dev/null || continue
    once peer_up && echo "$taken" >>"$dir/peer_up.times"
    peer_down
  done
  row '`compose up -d` of five services on two networks' "$(median <"$dir/quai_up.times")" \
    "$(median <"$dir/peer_up.times")" 0.25 'docker-compose 1 on dockerd'
}

# Two hundred containers on one bridge: the last fifty must not cost more than the first.
crowd() {
  local n t0 first last
  t0=${EPOCHREALTIME/[.,]/}
  for ((n = 1; n <= 200; n++)); do
    quai run -d --name "crowd-$n" --network crowd busybox sleep 3600 >/dev/null || break
    case $n in
      1) answers 'DNS answer, p99'; t0=${EPOCHREALTIME/[.,]/} ;;
      51) first=$((${EPOCHREALTIME/[.,]/} - t0)) ;;
      150) t0=${EPOCHREALTIME/[.,]/} ;;
      200) last=$((${EPOCHREALTIME/[.,]/} - t0)) ;;
    esac
  done
  row 'start of containers 151 to 200 on one bridge' "${last-}" "${first-}" 1.25 'containers 2 to 51'
  answers 'DNS answer among 200 containers, p99'
  for ((n = 1; n <= 200; n += 50)); do
    # shellcheck disable=SC2046
    quai rm -f $(seq -f 'crowd-%g' "$n" $((n + 49))) >/dev/null 2>&1
  done
}

bench_crowd() {
  quai network create crowd >/dev/null || return 1
  crowd
  five_services
}
