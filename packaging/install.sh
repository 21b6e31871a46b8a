#!/usr/bin/env bash
# Installs the programs, libraries and headers of Cotangent:   bazel run //:install -- --prefix=DIR   (default /usr/local)
# --libdir=DIR is the folder for libraries, relative to the prefix (default lib).
# All files are first copied to a temporary folder in the prefix and then renamed, so that a full disk leaves nothing half installed.
# If the environment variable DESTDIR is set, it is put before the prefix, as packagers expect.
set -euo pipefail

prefix=/usr/local
libdir=lib
for argument in "$@"; do
  case $argument in
    --prefix=?*) prefix=${argument#--prefix=} ;;
    --libdir=?*) libdir=${argument#--libdir=} ;;
    *)
      echo "install: unknown argument '$argument'; expected --prefix=DIR or --libdir=DIR" >&2
      exit 2
      ;;
  esac
done
[[ $libdir != /* && /$libdir/ != */../* ]] || {
  echo "install: --libdir=$libdir: expected a folder within the prefix, such as lib64" >&2
  exit 2
}
[[ $prefix = /* ]] || prefix=${BUILD_WORKING_DIRECTORY:-$PWD}/$prefix
[ -e "@MANIFEST@" ] || cd "$0".runfiles/*/packaging/..
root=${DESTDIR:-}$prefix version=@VERSION@

fail() {
  echo "install: $1" >&2
  exit "${2:-2}"
}
mkdir -p "$root" 2>/dev/null || fail "cannot make $root: choose another folder by --prefix=DIR, or run as root"
stage=$(mktemp -d "$root/.cotangent-XXXXXX" 2>/dev/null) || fail "cannot write in $root: choose another folder by --prefix=DIR, or run as root"
trap 'rm -rf "$stage"' EXIT

declare -A flags requires
while IFS=$'\t' read -r file destination; do
  if [[ $destination = links:* ]]; then
    library=${destination#links:}
    { read -r "flags[$library]" && read -r "requires[$library]"; } <"$file"
    continue
  fi
  destination=${destination/#LIBDIR/"$libdir"}
  { mkdir -p "$stage/${destination%/*}" && cp --dereference "$file" "$stage/$destination"; } 2>/dev/null ||
    fail "cannot copy $destination into $root: is the disk full? Nothing was installed; --prefix=DIR is for another disk" 1
  mode=644
  [[ $destination != bin/* ]] || mode=755
  chmod "$mode" "$stage/$destination"
done <"@MANIFEST@"

trap 'fail "cannot write into $root: is the disk full? Nothing was installed" 1' ERR
# Write a pkg-config file for each library, and one CMake package that has the libraries as its components.
mkdir -p "$stage/$libdir/pkgconfig" "$stage/$libdir/cmake/cotangent"
config=$stage/$libdir/cmake/cotangent/cotangentConfig.cmake
{
  echo "# find_package(cotangent REQUIRED COMPONENTS autodiff differentiate inference training c): targets cotangent::autodiff, ..."
  echo "get_filename_component(_cotangent \"\${CMAKE_CURRENT_LIST_DIR}/$(realpath --relative-to="$stage/$libdir/cmake/cotangent" "$stage")\" ABSOLUTE)"
} >"$config"
for library in "${!flags[@]}"; do
  component=${library#cotangent_} required=${requires[$library]#cotangent_}
  printf '%s\n' "prefix=$prefix" "libdir=\${prefix}/$libdir" 'includedir=${prefix}/include/cotangent' "Name: cotangent-$component" \
    "Description: Cotangent, $component" "Version: $version" 'Cflags: -std=c++20 -I${includedir}' \
    ${required:+"Requires: cotangent-$required"} "Libs: -L\${libdir} -l$library ${flags[$library]}" >"$stage/$libdir/pkgconfig/cotangent-$component.pc"
  cat >>"$config" <<CMAKE
if(NOT TARGET cotangent::$component)
  add_library(cotangent::$component STATIC IMPORTED)
  set_target_properties(cotangent::$component PROPERTIES
    IMPORTED_LOCATION "\${_cotangent}/$libdir/lib$library.a"
    INTERFACE_INCLUDE_DIRECTORIES "\${_cotangent}/include/cotangent"
    INTERFACE_COMPILE_FEATURES cxx_std_20
    INTERFACE_LINK_LIBRARIES "${required:+cotangent::$required;}${flags[$library]// /;}")
endif()
set(cotangent_${component}_FOUND TRUE)
CMAKE
done

# Write the links, the pkg-config file and the CMake component of the shared library for C.
ln -s "libcotangent.so.$version" "$stage/$libdir/libcotangent.so.1"
ln -s libcotangent.so.1 "$stage/$libdir/libcotangent.so"
printf '%s\n' "prefix=$prefix" "libdir=\${prefix}/$libdir" 'includedir=${prefix}/include/cotangent' "Name: cotangent" \
  "Description: Cotangent's trained networks, for C" "Version: $version" 'Cflags: -I${includedir}' \
  'Libs: -L${libdir} -lcotangent' >"$stage/$libdir/pkgconfig/cotangent.pc"
cat >>"$config" <<CMAKE
if(NOT TARGET cotangent::c)
  add_library(cotangent::c SHARED IMPORTED)
  set_target_properties(cotangent::c PROPERTIES
    IMPORTED_LOCATION "\${_cotangent}/$libdir/libcotangent.so.$version"
    IMPORTED_SONAME libcotangent.so.1
    INTERFACE_INCLUDE_DIRECTORIES "\${_cotangent}/include/cotangent")
endif()
set(cotangent_c_FOUND TRUE)
CMAKE
cat >>"$config" <<'CMAKE'
foreach(_component ${cotangent_FIND_COMPONENTS})
  if(NOT cotangent_${_component}_FOUND AND cotangent_FIND_REQUIRED_${_component})
    set(cotangent_FOUND FALSE)
    set(cotangent_NOT_FOUND_MESSAGE "cotangent has no component ${_component}")
  endif()
endforeach()
CMAKE

(cd "$stage" && find . -type d -print0) | (cd "$root" && xargs --null mkdir -p 2>/dev/null)
trap - ERR

# Everything is copied; from here on, files are only renamed.
(cd "$stage" && find . '(' -type f -o -type l ')' -print0) | while IFS= read -r -d '' file; do
  mv --force "$stage/$file" "$root/$file"
done
echo "installed in $root: $(ls "$root/bin" | grep --count '^cotangent-') programs, libraries ${!flags[*]} libcotangent.so"
