#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# All tests on a fresh Debian 12: installs what is missing, builds with ASan and UBSan, runs every
# unit, case, fuzz-corpus and integration test, and prints the counts.
#
#   tests/run.sh [--no-kafka] [--build DIR] [--only REGEX]
#
# --no-kafka leaves out what needs real Apache Kafka (Java and Maven), and says so.
set -euo pipefail
cd "$(dirname "$0")/.."
build=build/test only=
while [ $# -gt 0 ]; do
    case $1 in
        --no-kafka) export ROUSE_NO_KAFKA=1 ;;
        --build) build=$2; shift ;;
        --only) only=$2; shift ;;
        *) echo "tests/run.sh: unknown option $1" >&2; exit 2 ;;
    esac
    shift
done

deploy/install.sh build test ${ROUSE_NO_KAFKA:+--no-kafka}

mkdir -p "$build"
echo "== build with ASan and UBSan in $build"
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DROUSE_SANITIZE=ON >"$build.cmake.log" 2>&1 ||
    { cat "$build.cmake.log"; exit 1; }
ninja -C "$build" | tail -n 1
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1

if [ -n "${ROUSE_NO_KAFKA:-}" ]; then
    echo "== real Kafka: left out (--no-kafka)"
fi
echo "== tests"
mkdir -p "$build/log"
status=0
ctest --test-dir "$build" --output-on-failure -j 2 ${only:+-R "$only"} \
    --output-junit "$PWD/$build/junit.xml" >"$build/log/ctest.txt" 2>&1 || status=$?
grep -vE '^ +Start ' "$build/log/ctest.txt"

# ctest counts programs; what people want to know too is how many tests ran inside them.
inside=$(sed -nE 's/.*\[  PASSED  \] ([0-9]+) test.*/\1/p' "$build/junit.xml" | awk '{n += $1} END {print n + 0}')
count() { grep -cE "status=\"($1)\"" "$build/junit.xml" || true; }
passed=$(count run) failed=$(count fail) skipped=$(count 'notrun|disabled')
echo "unit tests inside the test programs: $inside passed"
echo "$passed passed, $failed failed, $skipped skipped"
if [ $((passed + failed)) -eq 0 ]; then
    echo "no test ran" >&2
    exit 1
fi
exit $status
