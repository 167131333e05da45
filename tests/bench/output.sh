# Output through `run` and into the log; and from a container that runs, through `attach`.
# shellcheck shell=bash

megabytes=300
# Lines of 100 bytes, which cost what text costs.
lines='yes 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789'
quai_output() { quai run --rm --network none busybox sh -c "$lines | head -c ${megabytes}000000"; }
peer_output() { peer run --rm --network none busybox sh -c "$lines | head -c ${megabytes}000000"; }

# The container waits until it is attached to.
attached() {
  local engine=$1
  "$engine" create -i --name attach --network none busybox sh -c "$lines | head -c ${megabytes}000000" >/dev/null
  "$engine" start -a attach
  "$engine" rm -f attach >/dev/null
}
quai_attach() { attached quai; }
peer_attach() { attached peer; }

bench_output() {
  local names=(quai_output quai_attach)
  [ -z "$dockerd_socket" ] || names+=(peer_output peer_attach)
  interleave 3 "${names[@]}"
  row "$megabytes MB to stdout through \`run\`" "${times[quai_output]-}" "${times[peer_output]-}" 0.125 dockerd
  row "$megabytes MB through \`start --attach\`" "${times[quai_attach]-}" "${times[peer_attach]-}" 0.125 dockerd
}
