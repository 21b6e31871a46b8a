#!/usr/bin/env bash
# deb.sh INSTALL VERSION COPYRIGHT README MAN_SH OUTPUT: makes the Debian package OUTPUT of all files that INSTALL (the script of
# //:install) installs. Manual pages are made from the programs' own --help. The package depends on the libraries that the programs
# are linked with, in the versions of the Debian release on which it is built.
set -euo pipefail

install=$PWD/$1 version=$2 copyright=$PWD/$3 readme=$PWD/$4 man=$PWD/$5 output=$PWD/$6
for needed in dpkg-shlibdeps:dpkg-dev dpkg-deb:dpkg strip:binutils; do
  command -v "${needed%%:*}" >/dev/null || {
    echo "packaging: ${needed%%:*} is missing: as root, run: apt-get install ${needed##*:}" >&2
    exit 2
  }
done
architecture=$(dpkg --print-architecture)
libraries=lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-1767225600}  # 1 January 2026, so that every build gives the same bytes
umask 022

root=$work/package
DESTDIR=$root "$install" --prefix=/usr --libdir="$libraries" >&2
strip --strip-unneeded --remove-section=.comment --remove-section=.note "$root"/usr/bin/* "$root/usr/$libraries"/*.so.*.*
strip --strip-debug --enable-deterministic-archives "$root/usr/$libraries"/*.a

mkdir -p "$root/usr/share/man/man1" "$root/usr/share/doc/cotangent" "$root/DEBIAN" "$work/debian"
for program in "$root"/usr/bin/*; do
  "$man" "$program" "$version" | gzip -9n >"$root/usr/share/man/man1/$(basename "$program").1.gz"
done
cp "$copyright" "$root/usr/share/doc/cotangent/copyright"
gzip -9n <"$readme" >"$root/usr/share/doc/cotangent/README.md.gz"
gzip -9n >"$root/usr/share/doc/cotangent/changelog.gz" <<CHANGES
cotangent ($version) unstable; urgency=low

  * Built from its own repository, whose history tells what changed.

 -- The engineers of Cotangent <cotangent@packages.invalid>  $(date --utc --rfc-email --date="@$SOURCE_DATE_EPOCH")
CHANGES

# dpkg-shlibdeps needs the control file of a source package.
printf 'Source: cotangent\n\nPackage: cotangent\nArchitecture: any\n' >"$work/debian/control"
depends=$(cd "$work" && dpkg-shlibdeps -O "$root"/usr/bin/* "$root/usr/$libraries"/*.so.*.*)
cat >"$root/DEBIAN/control" <<CONTROL
Package: cotangent
Version: $version
Architecture: $architecture
Maintainer: The engineers of Cotangent <cotangent@packages.invalid>
Section: science
Priority: optional
Depends: ${depends#shlibs:Depends=}, libgvc6 | graphviz
Recommends: ca-certificates, curl
Suggests: g++, cmake, pkg-config, libabsl-dev, libdnnl-dev, libisal-dev, libjpeg-dev, libpng-dev, libprotobuf-dev, libwebp-dev, libzip-dev
Installed-Size: $(du --summarize --apparent-size "$root/usr" | cut -f1)
Description: trains convolutional networks and differentiates formulas
 Cotangent trains convolutional networks from a text file, in C++, on ordinary
 processors, and differentiates anything that can be written down. The package
 has its programs (cotangent-train, cotangent-predict and others), libraries to
 link with (derivatives, training, inference), and their headers.
CONTROL
printf 'libcotangent 1 cotangent (>= %s)\n' "$version" >"$root/DEBIAN/shlibs"
printf 'activate-noawait ldconfig\n' >"$root/DEBIAN/triggers"
(cd "$root" && find usr -type f -print0 | sort --zero-terminated | xargs --null md5sum >DEBIAN/md5sums)
find "$root" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
# The programs share much code. With its largest dictionary (-z9), xz finds repetitions across them.
dpkg-deb --root-owner-group -Zxz -z9 --build "$root" "$output" >&2
