# tests/bench/measure.sh: timing in bash itself, medians and ratios. Sourced by tests/bench/run.
# shellcheck shell=bash

# once COMMAND…: runs it and leaves its wall time in `taken`, microseconds.
once() {
  local t0 t1
  t0=${EPOCHREALTIME/[.,]/}
  "$@" </dev/null >/dev/null 2>>"$dir/errors.log" || { echo "bench: failed: $*" >&2; tail -n 3 "$dir/errors.log" >&2; return 1; }
  t1=${EPOCHREALTIME/[.,]/}
  taken=$((t1 - t0))
}

# median: of numbers on standard input, one a line.
median() {
  sort -n | awk '{ a[NR] = $1 } END { if (NR) print (NR % 2) ? a[(NR + 1) / 2] : int((a[NR / 2] + a[NR / 2 + 1]) / 2) }'
}

# interleave N FUNCTION…: calls the functions in turn, N rounds, so that a busy moment hits all; medians go to
# times[FUNCTION], microseconds. The first round warms caches and does not count.
declare -A times
interleave() {
  local rounds=$1 round name
  shift
  for name in "$@"; do : >"$dir/$name.times"; done
  for ((round = 0; round <= rounds; round++)); do
    for name in "$@"; do
      once "$name" || continue
      [ "$round" = 0 ] || echo "$taken" >>"$dir/$name.times"
    done
  done
  for name in "$@"; do times[$name]=$(median <"$dir/$name.times"); done
}

# milliseconds MICROSECONDS
milliseconds() { awk -v t="$1" 'BEGIN { printf "%.1f ms", t / 1000 }'; }

# row WHAT OURS PEER LIMIT NAME: one line of the table; OURS and PEER are numbers of one unit, the ratio must not
# exceed LIMIT.
row() {
  local what=$1 ours=$2 peer=$3 limit=$4 name=$5
  if [ -z "$ours" ] || [ -z "$peer" ]; then
    [ -n "$ours" ] || name=Quai
    echo "| $what | not measured: $name failed or is absent | | | |"
    return
  fi
  awk -v what="$what" -v a="$ours" -v b="$peer" -v l="$limit" -v name="$name" 'BEGIN {
    r = a / b
    printf "| %s | %.1f ms | %.1f ms (%s) | %.2f | ≤ %s %s |\n", what, a / 1000, b / 1000, name, r, l, (r <= l) ? "✓" : "✗"
  }'
}

# fact WHAT VALUE UNIT LIMIT: one line of the table without a peer.
fact() {
  awk -v what="$1" -v v="$2" -v unit="$3" -v l="$4" 'BEGIN {
    printf "| %s | %s %s | | | ≤ %s %s %s |\n", what, v, unit, l, unit, (v + 0 <= l + 0) ? "✓" : "✗"
  }'
}

# in_net PID COMMAND…: in the network namespace of a process.
in_net() { nsenter --net="/proc/$1/ns/net" -- "${@:2}"; }
