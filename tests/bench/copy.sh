# COPY of twenty thousand small files.
# shellcheck shell=bash

# One file differs each time: a layer that is there already would only be thrown away.
quai_copy() { change && quai build -q -t bench-copy "$dir/copy"; }
peer_copy() { change && DOCKER_BUILDKIT=0 peer build -q -t bench-copy "$dir/copy"; }
change() { echo "$RANDOM$RANDOM$RANDOM" >"$dir/copy/files/changed"; }

# 200 folders of 100 files of 100 bytes.
make_small_files() {
  [ ! -e "$dir/copy/files" ] || return 0
  mkdir -p "$dir/copy"
  awk -v dir="$dir/copy/files" 'BEGIN {
    for (d = 0; d < 200; d++) {
      system("mkdir -p " dir "/" d)
      for (f = 0; f < 100; f++) { file = dir "/" d "/" f; printf "%099d\n", d * 100 + f >file; close(file) }
    }
  }'
  printf 'FROM busybox\nCOPY files /files\n' >"$dir/copy/Dockerfile"
}

bench_copy() {
  local names=(quai_copy)
  [ -z "$dockerd_socket" ] || names+=(peer_copy)
  make_small_files
  interleave 2 "${names[@]}"
  row '`COPY` of 20,000 files' "${times[quai_copy]-}" "${times[peer_copy]-}" 0.1 dockerd
}
