# What an idle engine and the shim of an idle container keep for themselves.
# shellcheck shell=bash

# of_smaps PID FIELDS: sum of the fields of /proc/PID/smaps_rollup, kB.
of_smaps() { awk -v fields="$2" '$1 ~ "^(" fields "):$" { sum += $2 } END { print sum }' "/proc/$1/smaps_rollup"; }

bench_memory() {
  local id shim
  # Two, so that what all shims share is not taken for the one's own.
  quai run -d --name bench-2 --network none busybox sleep 1000 >/dev/null
  id=$(quai run -d --name bench --network none busybox sleep 1000)
  shim=$(pgrep -f "shim $id" | head -n 1)
  fact 'private memory of a shim' "$(awk -v k="$(of_smaps "$shim" 'Private_Clean|Private_Dirty')" 'BEGIN { printf "%.2f", k / 1024 }')" MB 1.5
  quai rm -f bench bench-2 >/dev/null
  sleep 3
  fact 'resident memory of the idle engine' "$(awk -v k="$(of_smaps "$engine_pid" Rss)" 'BEGIN { printf "%.1f", k / 1024 }')" MB 15
  if [ -n "$dockerd_socket" ]; then
    echo "| resident memory of dockerd | | $(awk -v k="$(of_smaps "$(cat "$dir/dockerd.pid")" Rss)" 'BEGIN { printf "%.0f", k / 1024 }') MB (dockerd) | | |"
  fi
}
