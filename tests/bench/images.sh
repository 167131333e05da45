# `images` with five hundred of them.
# shellcheck shell=bash

quai_images() { quai images; }
peer_images() { peer images; }

# import_500 ENGINE: five hundred images, each different.
import_500() {
  local i
  tar -C "$dir" --mtime=@0 -cf "$dir/tiny.tar" daemon.json
  for ((i = 0; i < 500; i++)); do
    "$1" import --change "LABEL number=$i" "$dir/tiny.tar" "bench-images:$i" >/dev/null || return 1
  done
}

bench_images() {
  local names=(quai_images)
  import_500 quai || { echo '| `images` with 500 images | not measured: they were not imported | | | |'; return; }
  if [ -n "$dockerd_socket" ] && import_500 peer; then names+=(peer_images); fi
  interleave "$rounds" "${names[@]}"
  fact '`images` with 500 images' "$(awk -v t="${times[quai_images]}" 'BEGIN { printf "%.1f", t / 1000 }')" ms 20
  row '`images` with 500 images' "${times[quai_images]-}" "${times[peer_images]-}" 1 dockerd
}
