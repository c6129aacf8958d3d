#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The long lane of fuzzing: every target with libFuzzer, ASan and UBSan.
#
#   tests/fuzz/run.sh [SECONDS (60)] [TARGET…]
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-60}
shift || true
build=build/fuzz
CC=clang cmake -S . -B $build -G Ninja -DCMAKE_BUILD_TYPE=Debug -DROUSE_SANITIZE=ON -DROUSE_FUZZ=ON >/dev/null
ninja -C $build fuzzers | tail -n 1
status=0
for bin in $build/bin/fuzz_*; do
    name=$(basename "$bin")
    name=${name#fuzz_}
    [ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
    found=$build/found/$name
    mkdir -p "$found" "tests/fuzz/corpus/$name"
    seeds=("tests/fuzz/corpus/$name")
    case $name in rule | yaml) seeds+=(tests/cases/bad tests/cases/language tests/cases/examples rules) ;; esac
    echo "== $name, $seconds s"
    "$bin" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 -artifact_prefix="$found/" \
        "$found" "${seeds[@]}" >"$build/$name.log" 2>&1 || { status=1; tail -n 30 "$build/$name.log"; }
    grep -E 'stat::(number_of_executed_units|peak_rss_mb)' "$build/$name.log" || true
done
exit $status
