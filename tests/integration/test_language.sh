#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The language by example: each directory of tests/cases/language is one program with its tests, made from the
# sentences of the language reference.  All must be without a finding and all tests pass.
set -euo pipefail
bin=$1
cd "$(dirname "$0")/../.."
out=$(mktemp)
trap 'rm -f "$out"' EXIT

programs=0 tests=0 failed=0
for dir in tests/cases/language/*/; do
    programs=$((programs + 1))
    if ! "$bin/rouse" check "$dir" >"$out" || grep -q 'warning\[' "$out"; then
        cat "$out"
        echo "FAILED: rouse check $dir"
        failed=$((failed + 1))
        continue
    fi
    "$bin/rouse" test --quiet "$dir" >"$out" || { cat "$out"; echo "FAILED: rouse test $dir"; failed=$((failed + 1)); }
    n=$(sed -n 's/^\([0-9]*\) passed.*/\1/p' "$out")
    [ "${n:-0}" -gt 0 ] || { echo "FAILED: $dir has no tests"; failed=$((failed + 1)); }
    tests=$((tests + ${n:-0}))
done
echo "language: $programs programs, $tests tests passed, $failed programs failed"
[ "$programs" -gt 0 ] && [ "$failed" -eq 0 ]
