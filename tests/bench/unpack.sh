# A layer of 500 MB: its archive becomes files; and an image with it is loaded.
# shellcheck shell=bash

# 5,000 files of 100 kB that no file system can share or compress.
make_layer() {
  [ ! -e "$dir/layer.tar" ] || return 0
  mkdir -p "$dir/layer"
  head -c 500000000 /dev/urandom | split -a 4 -d -b 100000 - "$dir/layer/file-"
  tar -C "$dir/layer" --sort=name -cf "$dir/layer.tar" .
  rm -rf "$dir/layer"
  quai import -q "$dir/layer.tar" bench-layer >/dev/null 2>&1 || quai import "$dir/layer.tar" bench-layer >/dev/null
  quai save -o "$dir/layer-image.tar" bench-layer
}

# What is measured writes into an empty folder; emptying it is not measured.
fresh() { rm -rf "$dir/unpacked"; mkdir "$dir/unpacked"; }
quai_unpack() { (cd "$dir/unpacked" && exec "$executable" unpack <"$dir/layer.tar"); }
tar_unpack() { tar -C "$dir/unpacked" -xf "$dir/layer.tar"; }
quai_load() { quai load -q -i "$dir/layer-image.tar"; }
peer_load() { peer load -q -i "$dir/layer-image.tar"; }
podman() { command podman --root "$dir/podman" --runroot "$dir/podman-run" --storage-driver overlay "$@"; }
podman_load() { podman load -q -i "$dir/layer-image.tar"; }

# measured NAME PREPARE: three times, the median into times[NAME].
measured() {
  local name=$1
  shift
  : >"$dir/$name.times"
  for _ in 1 2 3; do
    "$@" >/dev/null 2>&1
    once "$name" && echo "$taken" >>"$dir/$name.times"
  done
  times[$name]=$(median <"$dir/$name.times")
}

bench_unpack() {
  make_layer
  measured quai_unpack fresh
  measured tar_unpack fresh
  fresh
  row 'unpacking a layer of 500 MB' "${times[quai_unpack]-}" "${times[tar_unpack]-}" 1.11 'tar -x'
  measured quai_load quai rmi -f bench-layer
  if [ -n "$dockerd_socket" ]; then
    measured peer_load peer rmi -f bench-layer
    row '`load` of an image of 500 MB' "${times[quai_load]-}" "${times[peer_load]-}" 1 dockerd
  fi
  if command -v podman >/dev/null; then
    measured podman_load podman rmi -f -a
    row '`load` of an image of 500 MB' "${times[quai_load]-}" "${times[podman_load]-}" 1 podman
    podman rmi -f -a >/dev/null 2>&1
    rm -rf "$dir/podman" "$dir/podman-run"
  fi
  quai rmi -f bench-layer >/dev/null
}
