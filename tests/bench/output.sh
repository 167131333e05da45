# Output through `run` and into the log; and from a container that runs, through `attach`.
# shellcheck shell=bash

# Lines of 100 bytes, which cost what text costs, written as fast as a pipe takes them: a program that makes them one by
# one would be what is measured.
make_text() {
  [ -e "$dir/text/1000" ] && return
  mkdir -p "$dir/text"
  local line=012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678
  yes "$line" | head -c 300000000 >"$dir/text/300"
  yes "$line" | head -c 1000000000 >"$dir/text/1000"
}

output() { "$1" run --rm --network none -v "$dir/text:/text:ro" busybox cat "/text/$2"; }
quai_output_300() { output quai 300; }
peer_output_300() { output peer 300; }
quai_output_1000() { output quai 1000; }
peer_output_1000() { output peer 1000; }

# The container waits until it is attached to.
attached() {
  local engine=$1
  "$engine" create -i --name attach --network none -v "$dir/text:/text:ro" busybox cat /text/300 >/dev/null
  "$engine" start -a attach
  "$engine" rm -f attach >/dev/null
}
quai_attach() { attached quai; }
peer_attach() { attached peer; }

bench_output() {
  make_text
  local names=(quai_output_300 quai_attach) one=(quai_output_1000)
  if [ -n "$dockerd_socket" ]; then
    names+=(peer_output_300 peer_attach)
    one+=(peer_output_1000)
  fi
  interleave 3 "${names[@]}"
  row '300 MB to stdout through `run`' "${times[quai_output_300]-}" "${times[peer_output_300]-}" 0.125 dockerd
  row '300 MB through `start --attach`' "${times[quai_attach]-}" "${times[peer_attach]-}" 0.125 dockerd
  interleave 1 "${one[@]}"
  row '1 GB to stdout through `run`' "${times[quai_output_1000]-}" "${times[peer_output_1000]-}" 0.125 dockerd
}
