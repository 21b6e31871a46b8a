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

# A limit on the size of files stands for a full disk: the first program is larger.
code=0
(trap '' XFSZ && ulimit -f 1000 && "$install" --prefix="$TEST_TMPDIR/full") >"$TEST_TMPDIR/errors" 2>&1 || code=$?
[ $code = 1 ] && grep -q "Nothing was installed" "$TEST_TMPDIR/errors" && [ "$(wc -l <"$TEST_TMPDIR/errors")" = 1 ] ||
  fail "a copy that breaks off is not told: $(cat "$TEST_TMPDIR/errors")"
[ -z "$(ls -A "$TEST_TMPDIR/full")" ] || fail "a copy that breaks off leaves files behind"

"$install" --prefix="$prefix"
"$prefix/bin/cotangent-differentiate" "x^2" --at=x=3 | grep -q "6" || fail "the installed program does not differentiate"
[ -z "$(find "$prefix" -name '.cotangent-*')" ] || fail "the stage was left behind"

# CMake is tested with a space in the prefix. pkg-config is not, because compilers get its output unquoted.
plain="$TEST_TMPDIR/prefix"
"$install" --prefix="$plain"
export PKG_CONFIG_PATH="$plain/lib/pkgconfig"
compiler=${CXX:-g++}
$compiler -O1 "$outside/newton.cc" $(pkg-config --cflags --libs cotangent-autodiff) -o "$TEST_TMPDIR/newton"
"$TEST_TMPDIR/newton"
if ldd "$TEST_TMPDIR/newton" | grep -E 'dnnl|protobuf|gomp'; then fail "derivatives alone need the libraries above"; fi
$compiler -O1 "$outside/four_methods.cc" $(pkg-config --cflags --libs cotangent-differentiate) -o "$TEST_TMPDIR/four_methods"
"$TEST_TMPDIR/four_methods"
$compiler -O1 "$outside/training_loop.cc" $(pkg-config --cflags --libs cotangent-training) -o "$TEST_TMPDIR/training_loop"
"$TEST_TMPDIR/training_loop"

$compiler -O1 "$outside/classify.cc" $(pkg-config --cflags --libs cotangent-inference) -o "$TEST_TMPDIR/classify"
[ "$("$plain/bin/cotangent-predict" --version)" = "$("$plain/bin/cotangent-differentiate" --version | sed s/differentiate/predict/)" ] || fail "two programs are of two versions"
export XDG_CACHE_HOME="$TEST_TMPDIR/cache"
"$plain/bin/cotangent-train" --network=two_layer_net --dataset=sample --epochs=10 --output_dir="$TEST_TMPDIR/run" >/dev/null
{ printf 'P6 2 1 255\n' && printf '\000\100\377\377\001\002'; } >"$TEST_TMPDIR/picture.ppm"
[ "$("$TEST_TMPDIR/classify" "$TEST_TMPDIR/run" "$TEST_TMPDIR/picture.ppm" | wc -l)" = 10 ] || fail "the classifier does not say ten probabilities"
code=0
"$TEST_TMPDIR/classify" "$TEST_TMPDIR/nowhere" "$TEST_TMPDIR/picture.ppm" 2>"$TEST_TMPDIR/errors" || code=$?
[ $code = 2 ] && grep -q nowhere "$TEST_TMPDIR/errors" || fail "a checkpoint that is not there is not refused"

# A program may use several libraries, whichever is named first.
cat >"$TEST_TMPDIR/several.cc" <<'CXX'
#include "autodiff/differentiate.h"
#include "autodiff/numeric/differences.h"
#include "inference/classifier.h"
#include "layers/zoo/zoo.h"

int main() {
  const auto square = [](auto x) { return x[0] * x[0]; };
  const double at[] = {3};
  const auto gradient = cotangent::autodiff::Gradient(square, at, cotangent::autodiff::Mode::kReverse);
  const double slope = cotangent::autodiff::numeric::Derivative([](double x) { return x * x; }, 3).value;
  const bool loads = cotangent::inference::Classifier::Load("nowhere").ok();
  return gradient.ok() && slope > 5.9 && !loads && cotangent::layers::FindNetwork("convnet").ok() ? 0 : 1;
}
CXX
$compiler -c "$TEST_TMPDIR/several.cc" $(pkg-config --cflags cotangent-training) -o "$TEST_TMPDIR/several.o"
for first in autodiff differentiate inference training; do
  $compiler "$TEST_TMPDIR/several.o" $(pkg-config --libs cotangent-$first cotangent-{autodiff,differentiate,inference,training}) -o "$TEST_TMPDIR/several"
  "$TEST_TMPDIR/several"
done

# Builds a C program with the shared library, which must export its own functions and no others.
cat >"$TEST_TMPDIR/classes.c" <<'C'
#include <stdio.h>

#include "inference/classifier_c.h"

int main(int argc, char** argv) {
  char error[200] = "";
  cotangent_classifier* classifier = cotangent_load(argv[argc - 1], 1, 1, error, sizeof error);
  if (classifier == NULL) return fprintf(stderr, "%s\n", error), 2;
  printf("%d\n", (int)cotangent_classes(classifier));
  cotangent_free(classifier);
  return 0;
}
C
"$install" --prefix="$TEST_TMPDIR/other" --libdir=lib/here
export PKG_CONFIG_PATH="$TEST_TMPDIR/other/lib/here/pkgconfig"
${CC:-gcc} "$TEST_TMPDIR/classes.c" $(pkg-config --cflags --libs cotangent) "-Wl,-rpath,$TEST_TMPDIR/other/lib/here" -o "$TEST_TMPDIR/classes"
[ "$("$TEST_TMPDIR/classes" "$TEST_TMPDIR/run")" = 10 ] || fail "the shared library does not load a network"
shown=$(nm --dynamic --defined-only --demangle "$TEST_TMPDIR/other/lib/here/libcotangent.so" | grep ' [TDR] ' | cut -d' ' -f3)
declared=$(grep --only-matching 'cotangent_[a-z_]*(' "$TEST_TMPDIR/other/include/cotangent/inference/classifier_c.h" | tr --delete '(' | sort --unique)
[ "$shown" = "$declared" ] || fail "the shared library shows $shown, its header $declared"

command -v cmake >/dev/null || exit 0
cp "$outside"/*.cc "$TEST_TMPDIR"
cat >"$TEST_TMPDIR/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.18)
project(outside C CXX)
find_package(cotangent REQUIRED COMPONENTS autodiff differentiate training inference c)
add_executable(classes classes.c)
target_link_libraries(classes cotangent::c)
add_executable(derivatives newton.cc)
target_link_libraries(derivatives cotangent::autodiff)
add_executable(four_methods four_methods.cc)
target_link_libraries(four_methods cotangent::differentiate)
add_executable(several several.cc)
target_link_libraries(several cotangent::autodiff cotangent::training cotangent::differentiate cotangent::inference)
add_executable(function network_function.cc)
target_link_libraries(function cotangent::training)
add_executable(classify classify.cc)
target_link_libraries(classify cotangent::inference)
CMAKE
cmake -S "$TEST_TMPDIR" -B "$TEST_TMPDIR/built" -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
cmake --build "$TEST_TMPDIR/built" >/dev/null
[ "$("$TEST_TMPDIR/built/classes" "$TEST_TMPDIR/run")" = 10 ] || fail "CMake's program in C does not load a network"
"$TEST_TMPDIR/built/derivatives"
"$TEST_TMPDIR/built/four_methods"
"$TEST_TMPDIR/built/several"
"$TEST_TMPDIR/built/function"
