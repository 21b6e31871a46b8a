#!/usr/bin/env bash
# Compiles and runs the outside workspace's program against the two modules' sources alone, and checks what they depend on.
set -euo pipefail

dependencies=tests/usable_elsewhere/dependencies
grep -q '^//autodiff/reverse:reverse$' "$dependencies" || { echo "the list of dependencies is not one:"; cat "$dependencies"; exit 1; }
if grep -vE '^//autodiff(/forward|/reverse)?:|^//base:cpu$|^@[^/]*(abseil|bazel_tools)//' "$dependencies"; then
  echo "autodiff/forward and autodiff/reverse depend on the targets above; expected none outside autodiff, base:cpu and Abseil"
  exit 1
fi

# The runfiles contain only the files that the test lists as data, so the compilation fails if a file includes any other.
"${CXX:-g++}" -std=c++20 -O1 -I. tests/outside_workspace/newton.cc autodiff/math.cc -o "$TEST_TMPDIR/newton"
"$TEST_TMPDIR/newton"
