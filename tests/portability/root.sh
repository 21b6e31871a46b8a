# Sourced by the programs beside it: roots of other releases of Debian, made by debootstrap.

# The part of the calling program's beginning that is its usage.
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

# enter_root RELEASE NAME: $root is PORTABILITY_ROOT/NAME from now on, a root of that release, made where there is none.
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
  # A release younger than debootstrap is made as unstable is.
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
  # A mirror may be a snapshot, whose lists have run out.
  echo 'Acquire::Check-Valid-Until "false";' >"$root/etc/apt/apt.conf.d/90snapshot"
}

# Runs a command of bash in the root, in a folder of it; HOME and PATH are all that its environment has, and what is named before.
in_root() {
  local folder=$1
  shift
  chroot "$root" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin "${@:1:$#-1}" bash -c "cd '$folder' && ${!#}"
}

# The commit this checkout stands at, and nothing that lies about here, as /src/cotangent in the root.
clone_into_root() {
  rm -rf "$root/src/cotangent"
  mkdir -p "$root/src"
  git clone --quiet --no-hardlinks . "$root/src/cotangent"
}
