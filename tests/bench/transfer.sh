# Push to and pull from a registry on the same machine, against what the disk and the digest alone cost.
# shellcheck shell=bash

# The layer of 500 MB, and how something is measured three times.
# shellcheck source=unpack.sh
. "$here/unpack.sh"

# The registry that comes along, in the network of the engine that is measured.
start_registry() {
  local engine=$1 data=$2
  # The line that is waited for must not be the one of the registry before.
  : >"$dir/registry.log"
  nsenter -t "$engine" -n "$executable" registry --listen 127.0.0.1:5000 --data "$data" >>"$dir/registry.log" 2>&1 &
  registry_pid=$!
  wait_for 20 grep -q 'listens on' "$dir/registry.log"
}
stop_registry() {
  kill "$registry_pid"
  wait "$registry_pid" 2>/dev/null
  rm -rf "$dir/registry"
}

image=127.0.0.1:5000/bench-layer:1
disk_write() { dd if="$dir/layer.tar" of="$dir/written" bs=1M conv=fsync status=none; }
sha256_read() { sha256sum "$dir/layer.tar"; }
quai_push() { quai push -q "$image"; }
quai_pull() { quai pull -q "$image"; }
peer_push() { peer push -q "$image"; }
peer_pull() { peer pull -q "$image"; }

# pushed NAME ENGINE: each time to an empty registry; the last one goes on, for the pulls.
pushed() {
  local name=$1 pid=$2 round
  : >"$dir/$name.times"
  for round in 1 2 3; do
    [ "$round" = 1 ] || stop_registry
    start_registry "$pid" "$dir/registry"
    once "$name" && echo "$taken" >>"$dir/$name.times"
  done
  times[$name]=$(median <"$dir/$name.times")
}

bench_transfer() {
  make_layer
  local floor name
  for name in disk_write sha256_read; do
    measured "$name" true
  done
  floor=$(printf '%s\n' "${times[disk_write]}" "${times[sha256_read]}" | sort -n | tail -n 1)
  rm -f "$dir/written"
  quai load -q -i "$dir/layer-image.tar" >/dev/null
  quai tag bench-layer "$image"
  pushed quai_push "$engine_pid"
  measured quai_pull quai rmi -f "$image" bench-layer
  stop_registry
  row '`push` of 500 MB' "${times[quai_push]-}" "$floor" 2 'slower of disk and sha256'
  row '`pull` of 500 MB' "${times[quai_pull]-}" "$floor" 2 'slower of disk and sha256'
  quai rmi -f "$image" >/dev/null 2>&1
  [ -n "$dockerd_socket" ] || return 0
  peer load -q -i "$dir/layer-image.tar" >/dev/null
  peer tag bench-layer "$image"
  pushed peer_push "$dockerd_pid"
  measured peer_pull peer rmi -f "$image" bench-layer
  stop_registry
  row '`push` of 500 MB' "${times[quai_push]-}" "${times[peer_push]-}" 1 dockerd
  row '`pull` of 500 MB' "${times[quai_pull]-}" "${times[peer_pull]-}" 1 dockerd
}
