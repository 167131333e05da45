# tests/vm/image.sh: the guest's kernel, initrd and root file system, made from Debian packages.
#
# Sourced by run-in-vm, which says where the cache is ($cache), where this folder is ($here) and how to talk (say, note, die).

# Packages in the guest. libgcc-s1 is what dynamically linked Rust programs need
# beyond libc. Add more with --package.
GUEST_PACKAGES=(
  apparmor base-files base-passwd bash busybox-static coreutils dash diffutils
  e2fsprogs findutils gawk grep gzip hostname iproute2 iptables iputils-ping kmod
  libc-bin libcap2-bin libgcc-s1 login mount nftables passwd procps psmisc sed
  strace tar uidmap usr-is-merged util-linux xz-utils zstd
)

# Kernel modules (patterns below kernel/) kept in the root image. The rest of
# the stock kernel, mostly hardware drivers, is about 350 MB of dead weight.
MODULE_PATTERNS=(
  'arch/*' 'block/*' 'crypto/*' 'fs/*' 'lib/*' 'mm/*' 'net/*' 'security/*'
  'drivers/block/*' 'drivers/char/*' 'drivers/crypto/virtio/*' 'drivers/md/*'
  'drivers/virtio/*' 'drivers/vhost/*'
  'drivers/net/'{bonding,ipvlan,macvlan,vxlan,wireguard}'/*'
  'drivers/net/'{bareudp,dummy,geneve,ifb,macvlan,macvtap,net_failover,nlmon,tap,tun,veth,virtio_net,vrf}'.ko*'
)
MODULE_DROP=(
  'fs/ocfs2/*' 'fs/ceph/*' 'fs/cifs/*' 'fs/nfsd/*' 'fs/dlm/*' 'fs/gfs2/*'
  'fs/xfs/*' 'fs/jfs/*' 'fs/reiserfs/*' 'fs/smbd/*' 'fs/afs/*' 'fs/orangefs/*'
  'net/bluetooth/*' 'net/mac80211/*' 'net/wireless/*' 'net/sunrpc/*' 'net/can/*'
  'net/tipc/*' 'net/rds/*' 'net/batman-adv/*' 'net/ceph/*' 'net/rxrpc/*'
  'net/dccp/*' 'net/decnet/*' 'net/nfc/*' 'net/ieee802154/*' 'net/mac802154/*'
  'drivers/block/drbd/*' 'drivers/char/ipmi/*' 'drivers/char/tpm/*'
)
# What the initrd loads, with dependencies, before it can mount the root disk.
BOOT_MODULES=(virtio_pci virtio_blk ext4)

# ------------------------------------------------------- cache: apt plumbing

# apt-get with state of its own: the host's sources, keys and proxy settings
# apply, but lists, archives and locks live in the cache, so no privilege is
# needed and the host stays untouched. $1 is the dpkg status file to resolve
# against: an empty one yields complete closures, the host's only what is missing.
apt_conf() {
  local status=$1 state=$cache/apt
  mkdir -p "$state"/{lists/partial,archives/partial,log}
  : >"$state/empty-status"
  cat >"$state/apt.conf" <<END
Dir::State "$state";
Dir::State::lists "$state/lists";
Dir::State::status "$status";
Dir::State::extended_states "$state/extended_states";
Dir::Cache "$state";
Dir::Cache::archives "$state/archives";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dir::Log "$state/log";
Debug::NoLocking "true";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
APT::Install-Suggests "false";
Acquire::Languages "none";
Acquire::Retries "3";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Install-Pkgs;
#clear DPkg::Post-Invoke;
END
}

quietly() {   # run a command; show its output only when it fails
  local log=$cache/last-command.log
  if ! "$@" >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    return 1
  fi
}

apt_update() {
  [ "${apt_updated:-0}" = 1 ] && return
  note "updating package lists"
  apt_conf "$cache/apt/empty-status"
  quietly apt-get -c "$cache/apt/apt.conf" -q update || die "apt-get update failed"
  apt_updated=1
}

# apt_fetch STATUS DIR PACKAGE...: download packages and what they depend on
# (relative to STATUS) and unpack them into DIR.
apt_fetch() {
  local status=$1 dir=$2
  shift 2
  apt_conf "$status"
  rm -f "$cache"/apt/archives/*.deb
  quietly apt-get -c "$cache/apt/apt.conf" -q -y --no-remove --download-only install "$@" \
    || die "cannot download: $*"
  unpack "$dir" "$cache"/apt/archives/*.deb
}

# Everything belongs to root, whoever builds; modes are kept (setuid included).
unpack() {
  local dir=$1 deb d
  shift
  mkdir -p "$dir/usr"
  for d in bin sbin lib lib64; do            # merged /usr, before anything lands
    mkdir -p "$dir/usr/$d"
    [ -e "$dir/$d" ] || ln -s "usr/$d" "$dir/$d"
  done
  for deb in "$@"; do
    dpkg-deb --fsys-tarfile "$deb" \
      | tar -x -p -f - -C "$dir" --no-same-owner --keep-directory-symlink --warning=no-timestamp \
          --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' \
          --exclude='./usr/share/locale/*' --exclude='./usr/share/info/*' \
      || die "cannot unpack ${deb##*/}"
    rm -f "$deb"
  done
}

# from_root ROOT NAME PROGRAM ARG...: run an unpacked root's PROGRAM, called NAME,
# with that root's own loader and libraries: the host needs to have neither the
# tool nor the privilege to chroot.
from_root() {
  local root=$1 name=$2 program=$3
  shift 3
  "$root/lib64/ld-linux-x86-64.so.2" --argv0 "$name" \
    --library-path "$root/usr/lib/x86_64-linux-gnu:$root/usr/lib" "$root$program" "$@"
}

# --------------------------------------------------------- cache: guest image

build_image() {
  local out=$1 work=$1.tmp root kernel version
  rm -rf -- "$work" "$out"
  mkdir -p "$work"
  root=$work/root
  say "preparing the guest image (first use)"

  apt_update
  apt_conf "$cache/apt/empty-status"
  kernel=$(apt-cache -c "$cache/apt/apt.conf" depends linux-image-amd64 \
    | awk '$1 == "Depends:" && $2 ~ /^linux-image-[0-9]/ { print $2; exit }')
  [ -n "$kernel" ] || die "no linux-image-amd64 package in the configured apt sources"
  version=${kernel#linux-image-}
  version=${version%-unsigned}

  note "downloading the guest packages"
  apt_fetch "$cache/apt/empty-status" "$root" "${GUEST_PACKAGES[@]}" "${extra_packages[@]}"
  note "downloading $kernel"
  # The kernel alone: its dependencies only serve to build an initramfs.
  (cd "$cache/apt/archives" && quietly apt-get -c "$cache/apt/apt.conf" -q download "$kernel") \
    || die "cannot download $kernel"
  mkdir -p "$work/kernel"
  dpkg-deb -x "$cache"/apt/archives/linux-image-*.deb "$work/kernel" || die "cannot unpack $kernel"
  rm -f "$cache"/apt/archives/*.deb

  note "building vmlinux, initrd and root.img for $version"
  extract_kernel "$work/kernel/boot/vmlinuz-$version" "$work/vmlinux" "$root"
  copy_modules "$work/kernel" "$root" "$version"
  configure_root "$root"
  build_initrd "$work" "$root" "$version"
  # Room for tests (the file is sparse). No journal: nothing outlives a run.
  truncate -s 8G "$work/root.img"
  quietly from_root "$root" mke2fs /sbin/mke2fs -q -F -t ext4 -m 0 -L vmroot -O '^has_journal,^metadata_csum' \
    -E lazy_itable_init=1,nodiscard,root_owner=0:0 -d "$root" "$work/root.img" \
    || die "cannot build the root file system"
  printf '%s\n' "$version" >"$work/version"
  rm -rf -- "$root" "$work/kernel" "$work/initrd.d"
  mv -- "$work" "$out"
  # Images nobody used for a month: other package sets, older scripts.
  find "$cache" -maxdepth 2 -path '*/image-*/version' -mtime +30 -printf '%h\0' \
    | xargs -0r rm -rf --
}

# A bzImage is a loader plus a compressed ELF kernel at an offset its header
# states. QEMU boots the bare ELF, which skips decompression in the guest. When
# the compression is not one we can undo, fall back to the bzImage.
extract_kernel() {
  local image=$1 out=$2 root=$3 sectors offset length
  sectors=$(od -An -tu1 -j 497 -N 1 "$image" | tr -d ' ')
  [ "$sectors" != 0 ] || sectors=4
  read -r offset length < <(od -An -tu4 -j 584 -N 8 "$image")
  tail -c +$(((sectors + 1) * 512 + offset + 1)) "$image" | head -c "$length" >"$out.packed" || :
  case $(od -An -tx1 -N 4 "$out.packed" | tr -d ' ') in
    fd377a58) from_root "$root" xz /usr/bin/xz -dc --single-stream <"$out.packed" >"$out" || : ;;
    28b52ffd) from_root "$root" zstd /usr/bin/zstd -dc <"$out.packed" >"$out" || : ;;
    1f8b*) gzip -dc <"$out.packed" >"$out" || : ;;
  esac 2>/dev/null
  # Trailing bytes make the tools complain after a complete stream: judge the
  # result, not their status.
  if [ "$(head -c 4 "$out" 2>/dev/null | od -An -tx1 | tr -d ' \n')" != 7f454c46 ]; then
    note "cannot unpack the kernel, booting the compressed image instead"
    cp -- "$image" "$out"
  fi
  rm -f -- "$out.packed"
}

copy_modules() {
  local from=$1/lib/modules/$3 to=$2/usr/lib/modules/$3 pattern args=()
  [ -d "$from" ] || from=$1/usr/lib/modules/$3
  for pattern in "${MODULE_PATTERNS[@]}"; do args+=(-o -path "./kernel/$pattern"); done
  mkdir -p "$to"
  (cd "$from" && {
    find . -maxdepth 1 -name 'modules.*'
    find . -type f \( -false "${args[@]}" \)
  } | tar -c -T - -f -) | tar -x -f - -C "$to"
  for pattern in "${MODULE_DROP[@]}"; do
    find "$to/kernel" -type f -path "$to/kernel/$pattern" -delete
  done
  from_root "$2" depmod /bin/kmod -b "$2" "$3" || die "depmod failed"
}

# The configuration that maintainer scripts would have made.
configure_root() {
  local root=$1
  [ -e "$root/bin/sh" ] || ln -s dash "$root/bin/sh"
  [ -e "$root/usr/bin/awk" ] || ln -s gawk "$root/usr/bin/awk"
  if [ -e "$root/usr/sbin/iptables-nft" ] && [ ! -e "$root/usr/sbin/iptables" ]; then
    ln -s iptables-nft "$root/usr/sbin/iptables"
    ln -s ip6tables-nft "$root/usr/sbin/ip6tables"
    ln -s iptables-nft-save "$root/usr/sbin/iptables-save"
    ln -s iptables-nft-restore "$root/usr/sbin/iptables-restore"
  fi
  mkdir -p "$root"/{dev,proc,sys,run,tmp,mnt,root,home/user,var/tmp,var/lib,etc/apparmor.d}
  chmod 1777 "$root/tmp" "$root/var/tmp"
  chmod 700 "$root/root"
  cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
  cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
  # An ordinary user with subordinate ids, for rootless tests: su user -c ...
  echo 'user:x:1000:1000::/home/user:/bin/bash' >>"$root/etc/passwd"
  echo 'user:x:1000:' >>"$root/etc/group"
  sed 's/:.*/:*:19000:0:99999:7:::/' "$root/etc/passwd" >"$root/etc/shadow"
  chmod 600 "$root/etc/shadow"
  printf '%s:100000:65536\n' user >"$root/etc/subuid"
  cp "$root/etc/subuid" "$root/etc/subgid"
  # PAM's shipped configuration is generated by scripts that did not run.
  mkdir -p "$root/etc/pam.d"
  local type
  for type in auth account password session; do
    echo "$type required pam_permit.so" >"$root/etc/pam.d/common-$type"
  done
  cp "$root/etc/pam.d/common-session" "$root/etc/pam.d/common-session-noninteractive"
  echo vm >"$root/etc/hostname"
  printf '127.0.0.1 localhost vm\n::1 localhost\n' >"$root/etc/hosts"
  printf 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n' >"$root/etc/nsswitch.conf"
  ln -sf /proc/self/mounts "$root/etc/mtab"
  cp -- "$here/guest-init" "$root/usr/sbin/vm-init"
  chmod 755 "$root/usr/sbin/vm-init"
}

build_initrd() {
  local work=$1 root=$2 version=$3 dir=$1/initrd.d module file n=0
  mkdir -p "$dir"/{bin,dev,proc,newroot,modules}
  cp "$root/bin/busybox" "$dir/bin/busybox"
  # In dependency order; numbered, so that the init only follows the glob.
  for module in "${BOOT_MODULES[@]}"; do
    from_root "$root" modprobe /bin/kmod -d "$root" -S "$version" --show-depends "$module" \
      || die "kernel module $module not found"
  done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$work/boot-modules"
  # crc32c is requested by name at run time, not a symbol dependency.
  find "$root/usr/lib/modules/$version" -name 'crc32c_generic.ko*' >"$work/boot-modules.first"
  cat "$work/boot-modules.first" "$work/boot-modules" | awk '!seen[$0]++' >"$work/boot-modules.all"
  while read -r file; do
    n=$((n + 1))
    module=$(printf '%s/modules/%02d.ko' "$dir" "$n")
    case $file in
      *.xz) from_root "$root" xz /usr/bin/xz -dc <"$file" >"$module" ;;
      *.zst) from_root "$root" zstd /usr/bin/zstd -dqc <"$file" >"$module" ;;
      *) cp -- "$file" "$module" ;;
    esac
  done <"$work/boot-modules.all"
  rm -f "$work"/boot-modules*
  cp -- "$here/initrd-init" "$dir/init"
  chmod 755 "$dir/init"
  (cd "$dir" && find . | "$root/bin/busybox" cpio -o -H newc 2>/dev/null) >"$work/initrd" \
    || die "cannot pack the initrd"
}

# ---------------------------------------------------------------- cache: QEMU

# Use the host's QEMU, else a private copy of the packages the host lacks.
qemu=() qemu_env=()
find_qemu() {
  local dir=$cache/qemu
  if command -v qemu-system-x86_64 >/dev/null; then
    qemu=(qemu-system-x86_64)
    return
  fi
  if [ ! -e "$dir/ready" ]; then
    say "fetching a private copy of QEMU (none is installed)"
    rm -rf -- "$dir"
    apt_update
    # An older part of QEMU on the host must not hold the private copy back.
    awk -v RS= -v ORS='\n\n' '!/^Package: qemu/' /var/lib/dpkg/status >"$cache/apt/host-status"
    apt_fetch "$cache/apt/host-status" "$dir" qemu-system-x86
    touch "$dir/ready"
  fi
  qemu=("$dir/usr/bin/qemu-system-x86_64" -L "$dir/usr/share/qemu" -L "$dir/usr/share/seabios")
  qemu_env=(
    "LD_LIBRARY_PATH=$dir/usr/lib/x86_64-linux-gnu:$dir/usr/lib"
    "QEMU_MODULE_DIR=$dir/usr/lib/x86_64-linux-gnu/qemu"
  )
}
