# `ps` with a thousand containers.
# shellcheck shell=bash

quai_ps() { quai ps -a; }

# curl sends a thousand requests over one connection: a client for each would be what is measured.
create_1000() {
  local i
  for ((i = 0; i < 1000; i++)); do
    cat <<EOF
url = "http://x/v1.44/containers/create"
unix-socket = "$dir/quai.sock"
header = "Content-Type: application/json"
data = "{\"Image\":\"busybox\",\"Cmd\":[\"true\"]}"
output = "/dev/null"
next
EOF
  done | sed '$d' >"$dir/curl.config"
  curl -s --config "$dir/curl.config"
}

bench_list() {
  once create_1000
  local each=$((taken / 1000))
  if [ "$(quai ps -aq | wc -l)" -lt 1000 ]; then
    echo '| `ps` with 1,000 containers | not measured: they were not created | | | |'
    return
  fi
  interleave "$rounds" quai_ps
  fact '`ps -a` with 1,000 containers' "$(awk -v t="${times[quai_ps]}" 'BEGIN { printf "%.1f", t / 1000 }')" ms 20
  fact 'creating one of 1,000 containers' "$(awk -v t="$each" 'BEGIN { printf "%.1f", t / 1000 }')" ms 20
}
