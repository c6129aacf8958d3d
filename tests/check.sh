#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# rouse check as a command: exit codes, formats, --strict, --messages.   tests/check.sh ROUSE
set -u
rouse=$1
cd "$(dirname "$0")/cases" || exit 2
failed=0
# expect STATUS PATTERN OPTIONS…
expect() {
    local status=$1 pattern=$2 out rc
    shift 2
    out=$("$rouse" check "$@" 2>&1)
    rc=$?
    if [ $rc -ne "$status" ] || ! grep -qE -- "$pattern" <<<"$out"; then
        printf 'FAILED: rouse check %s\n  status %s (wanted %s), wanted `%s` in:\n%s\n' "$*" "$rc" "$status" "$pattern" "$out"
        failed=1
    fi
}
expect 0 '^ok: 8 events, ' examples
expect 0 '^ok: 8 events, ' examples/shop.yaml examples/rules.yaml
expect 1 '^bad/bad.yaml:7:15: error\[X010\]' examples/shop.yaml bad/bad.yaml
expect 1 'error\[Y013\]' bad/dup.yaml
expect 1 '^{"severity":"error","code":"X010".*"line":7,"col":15,"utf16":15,' --format=json examples/shop.yaml bad/bad.yaml
expect 1 '^::error file=bad/bad.yaml,line=7,col=15,' --format=github examples/shop.yaml bad/bad.yaml
expect 1 '^… and [0-9]+ more$' --max-errors=1 examples/shop.yaml bad/bad.yaml
expect 1 '"and [0-9]+ more"' --max-errors=1 --format=json examples/shop.yaml bad/bad.yaml
expect 0 'warning\[W008\]' bad/audience
expect 1 'warning\[W008\]' --strict bad/audience
expect 0 '^ok: ' --strict examples
expect 0 '^cart_left +sms +19 +531 +1 to 8 +name 256, title 256$' --messages examples
expect 1 '' --messages bad/bad.yaml
expect 2 'No such file' nowhere
expect 2 'no \*.yaml files' formats/../../unit/yaml
expect 2 'name a directory or files'
expect 2 '--format is text, json or github' --format=xml examples
expect 2 'unknown option' --nonsense examples
expect 1 'error\[S014\]' bad/unreadable
# A table is found beside the file that names it, from wherever it is checked.
expect 1 '^bad/twice/twice.csv:4:1: error\[T013\]' bad/twice/rules.yaml
[ $failed -eq 0 ] && echo "check: as it should be"
exit $failed
