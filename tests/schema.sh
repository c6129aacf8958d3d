#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# rouse schema: every table of keys that the loader has stands in it, and tests/schema.py has no finding.
set -euo pipefail
rouse=$1
cd "$(dirname "$0")/.."
out=$(mktemp)
trap 'rm -f "$out"' EXIT
"$rouse" schema >"$out"

missing=0
while read -r keys; do
    grep -qE "= \{\"[a-z_]+\", $keys, BASE_LEN\($keys\)" common/rule/*.c && continue
    case $keys in
        stored_keys | agg_keys | tag_kinds) grep -q "keys\[n++\] = .*$keys\[" common/rule/tags.c && continue ;;
        verbs | companions) grep -q "keys\[n.*\] = $keys\[" common/rule/step.c && continue ;;
    esac
    echo "FAILED: the table of keys \`$keys\` is not in the schema"
    missing=1
done < <(sed -nE 's/^ *(static )?const struct key_def ([a-z_]+)\[\] = .*/\2/p' common/rule/*.c)
while read -r table; do
    grep -qE "&$table[,}]" common/rule/schema.c || { echo "FAILED: $table is not listed in schema.c"; missing=1; }
done < <(sed -nE 's/^const struct key_table ([a-z_]+) = .*/\1/p' common/rule/*.c)
[ $missing -eq 0 ]

command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }
python3 tests/schema.py "$rouse"
