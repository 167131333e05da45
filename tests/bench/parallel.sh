# Many containers at once.
# shellcheck shell=bash

starts() {
  local n=$1 engine=$2 i waiting=()
  for ((i = 0; i < n; i++)); do
    "$engine" run -d --rm --network none busybox true &
    waiting+=("$!")
  done
  for i in "${waiting[@]}"; do wait "$i" || return 1; done
}
# A round begins when nothing of the former one is left.
idle() { [ -z "$("$1" ps -aq)" ]; }
quai_20() { starts 20 quai; }
peer_20() { starts 20 peer; }
quai_100() { starts 100 quai; }
peer_100() { starts 100 peer; }

bench_parallel() {
  local name n ours theirs
  for n in 20 100; do
    ours= theirs=
    : >"$dir/quai.parallel"; : >"$dir/peer.parallel"
    for _ in 1 2 3; do
      once "quai_$n" && echo "$taken" >>"$dir/quai.parallel"
      wait_for 60 idle quai
      [ -n "$dockerd_socket" ] || continue
      once "peer_$n" && echo "$taken" >>"$dir/peer.parallel"
      wait_for 60 idle peer
    done
    ours=$(median <"$dir/quai.parallel") theirs=$(median <"$dir/peer.parallel")
    row "$n parallel \`run -d --rm\`" "$ours" "$theirs" 0.15 dockerd
  done
}
