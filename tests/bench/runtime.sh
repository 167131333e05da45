# The OCI runtime alone: a prepared bundle, from nothing to nothing.
# shellcheck shell=bash

of_runtime() { (cd "$crun_bundle" && exec "$executable" runtime --root "$dir/runtime-state" run "bench-$RANDOM$RANDOM"); }
of_crun() { (cd "$crun_bundle" && exec crun --root "$dir/crun-state" run "bench-$RANDOM$RANDOM"); }

bench_runtime() {
  [ -n "$crun_bundle" ] || return 0
  local names=(of_crun)
  "$executable" runtime --version >/dev/null 2>&1 && names+=(of_runtime)
  interleave "$rounds" "${names[@]}"
  row '`runtime run` of a bundle' "${times[of_runtime]-}" "${times[of_crun]-}" 0.6 crun
}
