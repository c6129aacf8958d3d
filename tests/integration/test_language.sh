#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The language by example: each directory of tests/cases/language is one program with its tests, made from the
# sentences of the language reference.  All must be without an error (some are odd on purpose: warnings do not
# count) and all tests pass.  In refused/ each file, put
# beside base.yaml, is refused with the code that its second line names.
set -euo pipefail
bin=$1
cd "$(dirname "$0")/../.."
out=$(mktemp)
trap 'rm -f "$out"' EXIT

programs=0 tests=0 failed=0
for dir in tests/cases/language/[0-9]*/; do
    programs=$((programs + 1))
    if ! "$bin/rouse" check "$dir" >"$out"; then
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
refused=0
"$bin/rouse" check tests/cases/language/refused/base.yaml >"$out" || { cat "$out"; failed=$((failed + 1)); }
for file in tests/cases/language/refused/*.yaml; do
    code=$(sed -n 's/^# refused: //p' "$file")
    [ -n "$code" ] || continue
    refused=$((refused + 1))
    if "$bin/rouse" check tests/cases/language/refused/base.yaml "$file" >"$out" || ! grep -q "error\[$code\]" "$out"; then
        cat "$out"
        echo "FAILED: $file is not refused with $code"
        failed=$((failed + 1))
    fi
done
echo "language: $programs programs, $tests tests passed, $refused refused as they should be, $failed failed"
[ "$programs" -gt 0 ] && [ "$failed" -eq 0 ]
