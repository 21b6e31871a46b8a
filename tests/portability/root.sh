# Functions for the programs in this folder, which source this file: they make root folders of other Debian releases with
# debootstrap and run commands in them.

# Prints the comment at the head of the calling program as its usage, and exits.
usage() {
  sed --quiet '2,/^set/s/^# \{0,1\}//p' "$0" >&2
  exit 2
}

mounted=()
mount_in() {
  mountpoint --quiet "$root/${!#}" && return
  mount "${@:1:$#-1}" "$root/${!#}"
  mounted=("$root/${!#}" "${mounted[@]}")
}
leave_root() {
  for place in "${mounted[@]}"; do umount "$place" 2>/dev/null || umount --lazy "$place"; done
}

# enter_root RELEASE NAME: sets $root to PORTABILITY_ROOT/NAME, the root of that release, and makes the root if it does not exist.
enter_root() {
  local release=$1 program script mirror
  program=tests/portability/$(basename "$0")
  [ "$(id -u)" = 0 ] || {
    echo "$program: debootstrap and chroot take root: sudo $0 $release" >&2
    exit 2
  }
  command -v debootstrap >/dev/null || {
    echo "$program: debootstrap is missing: apt-get install debootstrap" >&2
    exit 2
  }
  root=${PORTABILITY_ROOT:-/var/tmp/cotangent-portability}/$2
  # debootstrap does not know releases newer than itself; they are made like unstable.
  script=/usr/share/debootstrap/scripts/$release
  [ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid
  mirror=$(cat /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null |
    sed --quiet 's/^URIs: *//p; s/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\) .*/\2/p' | sed 1q) || true
  [ -n "$mirror" ] || {
    echo "$program: neither /etc/apt/sources.list nor /etc/apt/sources.list.d/debian.sources names a mirror" >&2
    exit 2
  }
  mkdir -p "$root"
  [ -e "$root/etc/debian_version" ] || debootstrap --variant=minbase "$release" "$root" "$mirror" "$script" >&2
  trap leave_root EXIT
  mount_in -t proc proc proc
  mount_in --bind /dev dev
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  # The mirror may be a snapshot, whose package lists have passed their expiry date.
  echo 'Acquire::Check-Valid-Until "false";' >"$root/etc/apt/apt.conf.d/90snapshot"
}

# in_root FOLDER [NAME=VALUE...] COMMAND: runs a command of bash in a folder of the root. Its environment has HOME, PATH and the
# given variables only.
in_root() {
  local folder=$1
  shift
  chroot "$root" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin "${@:1:$#-1}" bash -c "cd '$folder' && ${!#}"
}

# Copies the current commit of this checkout, without uncommitted files, to /src/cotangent in the root.
clone_into_root() {
  rm -rf "$root/src/cotangent"
  mkdir -p "$root/src"
  git clone --quiet --no-hardlinks . "$root/src/cotangent"
}
