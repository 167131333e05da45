# A build of twenty commands: from its cache, and every command run.
# shellcheck shell=bash

classic() { DOCKER_BUILDKIT=0 peer build -q -t bench-build "$@" "$dir/build"; }
quai_cached() { quai build -q -t bench-build "$dir/build"; }
peer_cached() { classic; }
quai_steps() { quai build -q --no-cache --network none -t bench-build "$dir/build"; }
peer_steps() { classic --no-cache --network none; }

bench_build() {
  local i
  mkdir -p "$dir/build"
  {
    echo 'FROM busybox'
    for ((i = 1; i <= 20; i++)); do echo "RUN echo $i > /file-$i"; done
  } >"$dir/build/Dockerfile"
  local ours=quai_cached theirs=peer_cached
  [ -n "$dockerd_socket" ] || theirs=
  interleave "$rounds" "$ours" ${theirs:+"$theirs"}
  row 'build of 20 steps, all cached' "${times[quai_cached]-}" "${times[peer_cached]-}" 0.5 dockerd
  interleave 3 quai_steps ${theirs:+peer_steps}
  row 'build of 20 `RUN`, none cached' "${times[quai_steps]-}" "${times[peer_steps]-}" 0.1 dockerd
}
