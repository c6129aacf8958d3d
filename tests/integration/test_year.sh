#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Determinism, end to end: the same seed gives the same digest with one engine and with two, and on real
# Kafka under kill -9 of everything.  (The chaos lane in its short form; chaos.sh is the long one.)
set -euo pipefail
bin=$1
here=$(cd "$(dirname "$0")" && pwd)
size=(--members 150 --days 40 --seed 11)
digest_of() { tee /dev/stderr | sed -n 's/^digest //p'; }

# The same sources by the other compiler, optimised: the fold must not depend on either.
also=()
if command -v clang >/dev/null; then
    other=$bin/../other-compiler
    CC=clang cmake -S "$here/../.." -B "$other" -G Ninja -DCMAKE_BUILD_TYPE=Release >"$other.log" 2>&1 &&
        ninja -C "$other" rouse >>"$other.log" 2>&1 || { tail -n 20 "$other.log"; echo "FAILED: clang build"; exit 1; }
    also=(--also "$other/bin")
else
    echo "clang: skipped (not installed)"
fi

one=$(bash "$here/year.sh" "$bin" "${size[@]}" "${also[@]}" | digest_of)
two=$(bash "$here/year.sh" "$bin" "${size[@]}" --engines 2 | digest_of)
[ -n "$one" ] && [ "$one" = "$two" ] || { echo "FAILED: one engine $one, two engines $two"; exit 1; }
if [ -n "${ROUSE_NO_KAFKA:-}" ]; then
    echo "real Kafka: skipped (ROUSE_NO_KAFKA)"
else
    bash "$here/chaos.sh" "$bin" --kills 4 "${size[@]}" --digest "$one"
fi
echo "ok"
