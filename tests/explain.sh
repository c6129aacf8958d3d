#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# rouse explain: languages, all codes, codes that do not exist.   tests/explain.sh ROUSE
set -u
rouse=$1
failed=0
unset LC_ALL LC_MESSAGES LANG
# expect STATUS PATTERN COMMAND… : the status, and the pattern somewhere in the output
expect() {
    local status=$1 pattern=$2 out rc
    shift 2
    out=$("$@" 2>&1)
    rc=$?
    if [ $rc -ne "$status" ] || ! grep -q -- "$pattern" <<<"$out"; then
        printf 'FAILED: %s\n  status %s (wanted %s), wanted `%s` in:\n%s\n' "$*" "$rc" "$status" "$pattern" "$out"
        failed=1
    fi
}
expect 0 '^Y013  a key is given twice' "$rouse" explain Y013
expect 0 'Keep one of the two' "$rouse" explain y013
expect 0 '^Y013  同一个映射里' "$rouse" explain --lang=zh Y013
expect 0 '^Y013  同一个映射里' env LANG=zh_CN.UTF-8 "$rouse" explain Y013
expect 0 '^Y013  同一个映射里' env LANG=en_US.UTF-8 LC_ALL=zh_TW.UTF-8 "$rouse" explain Y013
expect 0 '^Y013  a key' env LANG=zh_CN.UTF-8 LC_ALL=C "$rouse" explain Y013
expect 0 '^Y013  a key' env LANG=zh_CN.UTF-8 "$rouse" explain --lang=en Y013
expect 0 '^A007  ' "$rouse" explain A007 X010
expect 0 '^X010  ' "$rouse" explain A007 X010
expect 2 'there is no code `X01O`: did you mean' "$rouse" explain X01O
expect 2 '^Y001  ' "$rouse" explain nonsense Y001
expect 2 'rouse explain lists them' "$rouse" explain nonsense
expect 2 '--lang is en or zh' "$rouse" explain --lang=fr Y001
expect 0 '^W010  ' "$rouse" explain
# Every code that is listed can be explained, in both languages, with more than its title.
codes=$("$rouse" explain | cut -d ' ' -f 1)
for lang in en zh; do
    # shellcheck disable=SC2086
    lines=$("$rouse" explain --lang=$lang $codes | wc -l)
    [ "$lines" -eq $((2 * $(wc -w <<<"$codes"))) ] || { echo "FAILED: $lang: $lines lines"; failed=1; }
done
[ $failed -eq 0 ] && echo "explain: $(wc -w <<<"$codes") codes"
exit $failed
