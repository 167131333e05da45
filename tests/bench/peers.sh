# tests/bench/peers.sh: the engines that are compared, each in namespaces of its own. Sourced by tests/bench/run.
# shellcheck shell=bash

pids=()
dockerd_socket= dockerd_pid= crun_bundle=

# wait_for SECONDS COMMAND…: until it succeeds.
wait_for() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.1
  done
}

# A root file system of busybox alone.
make_rootfs() {
  local applet
  mkdir -p "$dir/rootfs"/{bin,dev,proc,sys,tmp,etc}
  cp "$(command -v busybox)" "$dir/rootfs/bin/busybox"
  for applet in sh true cat echo sleep yes head dd seq; do ln -sf busybox "$dir/rootfs/bin/$applet"; done
  tar -C "$dir/rootfs" -cf "$dir/rootfs.tar" .
}

quai() { "$executable" docker -H "unix://$dir/quai.sock" "$@"; }
peer() { docker -H "unix://$dockerd_socket" "$@"; }

start_quai() {
  "$executable" catalogue add --store "$dir/catalogue" busybox:latest "$dir/rootfs.tar" --change 'CMD ["sh"]' >/dev/null
  unshare --net --mount -- sh -c 'ip link set lo up; exec "$@"' sh \
    "$executable" engine --data-root "$dir/quai" --exec-root "$dir/quai-exec" --catalogue "$dir/catalogue" \
    --config-file "$dir/daemon.json" -H "unix://$dir/quai.sock" >"$dir/quai.log" 2>&1 &
  engine_pid=$!
  pids+=("$engine_pid")
  wait_for 20 quai version
  quai pull -q busybox >/dev/null
}

start_dockerd() {
  local socket=$dir/dockerd.sock
  if ! command -v dockerd >/dev/null || ! command -v docker >/dev/null || ! command -v containerd >/dev/null; then
    echo "bench: no dockerd here (package docker.io): its columns stay empty" >&2
    return 0
  fi
  mkdir -p "$dir/dockerd-run"
  # Its own /run: another dockerd of this host and this one do not meet.
  unshare --net --mount -- sh -c 'mount --make-rprivate /; mount --bind "$1" /run; shift; ip link set lo up; exec "$@"' sh \
    "$dir/dockerd-run" dockerd --data-root "$dir/dockerd" --exec-root "$dir/dockerd-exec" --config-file "$dir/daemon.json" \
    --pidfile "$dir/dockerd.pid" -H "unix://$socket" >"$dir/dockerd.log" 2>&1 &
  dockerd_pid=$!
  pids+=("$dockerd_pid")
  dockerd_socket=$socket
  if ! wait_for 60 peer version; then
    echo "bench: dockerd does not start here: $(tail -n 1 "$dir/dockerd.log")" >&2
    dockerd_socket=
    return 0
  fi
  peer import --change 'CMD ["sh"]' "$dir/rootfs.tar" busybox:latest >/dev/null
}

# A bundle that crun and `quai runtime` run.
make_bundle() {
  command -v crun >/dev/null || { echo "bench: no crun here (package crun): its columns stay empty" >&2; return 0; }
  crun_bundle=$dir/bundle
  mkdir -p "$crun_bundle"
  cp -a "$dir/rootfs" "$crun_bundle/rootfs"
  (cd "$crun_bundle" && crun spec)
  sed -i -e 's/"terminal": true/"terminal": false/' -e '0,/"sh"/s//"true"/' "$crun_bundle/config.json"
}

stop_peers() {
  local pid
  if [ -S "$dir/quai.sock" ]; then
    quai ps -aq 2>/dev/null | xargs -r -n 50 "$executable" docker -H "unix://$dir/quai.sock" rm -f >/dev/null 2>&1
  fi
  if [ -n "$dockerd_socket" ]; then
    peer ps -aq 2>/dev/null | xargs -r -n 50 docker -H "unix://$dockerd_socket" rm -f >/dev/null 2>&1
  fi
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
  wait
}
