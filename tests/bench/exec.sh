# A second process in a container that runs.
# shellcheck shell=bash

quai_exec() { quai exec bench true; }
peer_exec() { peer exec bench true; }

bench_exec() {
  quai run -d --name bench --network none busybox sleep 1000 >/dev/null
  local names=(quai_exec)
  if [ -n "$dockerd_socket" ]; then
    peer run -d --name bench --network none busybox sleep 1000 >/dev/null
    names+=(peer_exec)
  fi
  interleave "$rounds" "${names[@]}"
  row '`exec` of `true`' "${times[quai_exec]-}" "${times[peer_exec]-}" 0.15 dockerd
  quai rm -f bench >/dev/null
  [ -z "$dockerd_socket" ] || peer rm -f bench >/dev/null
}
