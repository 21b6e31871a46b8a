#!/bin/bash
# The program as people call it: what it writes, how it ends.
set -u
lab="$1"
directory="$(mktemp -d)"
trap 'rm -rf "$directory"' EXIT
export XDG_CACHE_HOME="$directory/cache"
failures=0

# expect CODE TEXT ARGUMENT...: the exit code, and a text somewhere in what is printed.
expect() {
  local code="$1" text="$2"
  shift 2
  local printed
  printed="$("$lab" "$@" 2>&1)"
  local found=$?
  if [[ $found != "$code" || "$printed" != *"$text"* ]]; then
    echo "lab $*: exit code $found, expected $code, and '$text' in:"
    echo "$printed"
    failures=$((failures + 1))
  fi
}

expect 0 "holds   lemma.bound" lemma proximal --output_dir="$directory/out"
for text in '"lemma.bound"' '"verdict": "holds"' '"14"'; do
  grep -q -- "$text" "$directory/out/results.json" || { echo "no $text in results.json"; failures=$((failures + 1)); }
done
grep -q '<math' "$directory/out/lab.html" || { echo "no formula in lab.html"; failures=$((failures + 1)); }
grep -q '<svg' "$directory/out/lab.html" || { echo "no picture in lab.html"; failures=$((failures + 1)); }

expect 1 "fails   activation.odd" activation --activation="max(0, x)" --output_dir="$directory/out"
expect 2 "no experiment 'lema'; there are activation, linear, proximal, lemma" lema --output_dir="$directory/out"
expect 2 "--activation:1:5" activation --activation="x + y" --output_dir="$directory/out"
expect 2 "--activation:1:5" activation --activation="x + " --output_dir="$directory/out"
touch "$directory/file"
expect 2 "--output_dir" lemma --output_dir="$directory/file/below"
expect 0 "fetch_data" cifar --output_dir="$directory/out" --data_dir="$directory/none"
[[ $failures == 0 ]]
