#!/usr/bin/env bash
# Installs into a folder with a space in its name, runs a program of it, and builds the outside workspace's programs against it
# with pkg-config and, where there is a CMake, with CMake.
set -euo pipefail

fail() {
  echo "$1"
  exit 1
}
install=$PWD/packaging/install
outside=$PWD/tests/outside_workspace
prefix="$TEST_TMPDIR/a prefix"

code=0
"$install" --prefixx=/tmp 2>"$TEST_TMPDIR/errors" || code=$?
[ $code = 2 ] && grep -q "expected --prefix=DIR" "$TEST_TMPDIR/errors" || fail "an unknown argument is not refused"
touch "$TEST_TMPDIR/file"
code=0
"$install" --prefix="$TEST_TMPDIR/file/in" 2>"$TEST_TMPDIR/errors" || code=$?
[ $code = 2 ] && grep -q "choose another folder" "$TEST_TMPDIR/errors" || fail "a prefix that cannot be made is not refused"

"$install" --prefix="$prefix"
"$prefix/bin/cotangent-differentiate" "x^2" --at=x=3 | grep -q "6" || fail "the installed program does not differentiate"
[ -z "$(find "$prefix" -name '.cotangent-*')" ] || fail "the stage was left behind"

# A prefix with a space is CMake's to handle; pkg-config's files are given to compilers unquoted.
plain="$TEST_TMPDIR/prefix"
"$install" --prefix="$plain"
export PKG_CONFIG_PATH="$plain/lib/pkgconfig"
compiler=${CXX:-g++}
$compiler -O1 "$outside/newton.cc" $(pkg-config --cflags --libs cotangent-autodiff) -o "$TEST_TMPDIR/newton"
"$TEST_TMPDIR/newton"
if ldd "$TEST_TMPDIR/newton" | grep -E 'dnnl|protobuf|gomp'; then fail "derivatives alone need the libraries above"; fi
$compiler -O1 "$outside/training_loop.cc" $(pkg-config --cflags --libs cotangent-training) -o "$TEST_TMPDIR/training_loop"
"$TEST_TMPDIR/training_loop"

command -v cmake >/dev/null || exit 0
cp "$outside"/*.cc "$TEST_TMPDIR"
cat >"$TEST_TMPDIR/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.18)
project(outside CXX)
find_package(cotangent REQUIRED COMPONENTS autodiff training)
add_executable(derivatives newton.cc)
target_link_libraries(derivatives cotangent::autodiff)
add_executable(function network_function.cc)
target_link_libraries(function cotangent::training)
CMAKE
cmake -S "$TEST_TMPDIR" -B "$TEST_TMPDIR/built" -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
cmake --build "$TEST_TMPDIR/built" >/dev/null
"$TEST_TMPDIR/built/derivatives"
"$TEST_TMPDIR/built/function"
