# Four stages that need nothing of each other, against the same work one after the other.
# shellcheck shell=bash

work='RUN i=0; while [ $i -lt 300000 ]; do i=$((i + 1)); done; echo $i > /done'
quai_parallel() { quai build -q --no-cache --network none -f "$dir/stages/parallel" "$dir/stages"; }
quai_serial() { quai build -q --no-cache --network none -f "$dir/stages/serial" "$dir/stages"; }

bench_stages() {
  local n limit
  mkdir -p "$dir/stages"
  for n in 1 2 3 4; do printf 'FROM busybox AS s%s\n%s\n' "$n" "$work"; done >"$dir/stages/parallel"
  echo 'FROM busybox' >>"$dir/stages/parallel"
  for n in 1 2 3 4; do echo "COPY --from=s$n /done /$n"; done >>"$dir/stages/parallel"
  echo 'FROM busybox' >"$dir/stages/serial"
  for n in 1 2 3 4; do echo "$work$n"; done >>"$dir/stages/serial"
  interleave 3 quai_parallel quai_serial
  # As many at a time as there are processors, and a quarter more for what is not work.
  limit=$(awk -v n="$(nproc)" 'BEGIN { if (n > 4) n = 4; printf "%.2f", 1.25 / n }')
  row "four stages at once, $(nproc) processors" "${times[quai_parallel]-}" "${times[quai_serial]-}" "$limit" 'one after the other'
}
