# One short container through client, API, overlay, supervision and removal.
# shellcheck shell=bash

quai_none() { quai run --rm --network none busybox true; }
quai_bridge() { quai run --rm busybox true; }
peer_none() { peer run --rm --network none busybox true; }
peer_bridge() { peer run --rm busybox true; }

bench_run() {
  local names=(quai_none quai_bridge)
  [ -z "$dockerd_socket" ] || names+=(peer_none peer_bridge)
  [ -z "$crun_bundle" ] || names+=(of_crun)
  interleave "$rounds" "${names[@]}"
  row '`run --rm busybox true`, network none' "${times[quai_none]-}" "${times[peer_none]-}" 0.1 dockerd
  row '`run --rm busybox true`, network none' "${times[quai_none]-}" "${times[of_crun]-}" 1.5 crun
  row '`run --rm busybox true`, default bridge' "${times[quai_bridge]-}" "${times[peer_bridge]-}" 0.12 dockerd
}
