#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The shipped rule pack and the examples of its README pages: checked without a finding, tests pass.
# The design's own examples too, where they are at hand.
set -euo pipefail
bin=$1
cd "$(dirname "$0")/../.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

check() { # title directory
    "$bin/rouse" check "$2" >"$dir/out" || { cat "$dir/out"; echo "FAILED: rouse check $1"; exit 1; }
    "$bin/rouse" test --quiet "$2" >"$dir/out" || { cat "$dir/out"; echo "FAILED: rouse test $1"; exit 1; }
    echo "$1: $(tail -n 1 "$dir/out")"
}

check rules rules
"$bin/rouse" check rules | grep -q 'warning' && { echo "FAILED: rules/ has warnings"; exit 1; }

for page in README.md README.zh-CN.md; do
    mkdir "$dir/$page"
    awk -v to="$dir/$page" '/^```yaml$/ {n++; on = 1; next} /^```$/ {on = 0} on {print > sprintf("%s/%02d.yaml", to, n)}' "rules/$page"
    check "rules/$page" "$dir/$page"
done

# The 61 trigger scenarios: each is named by the comment of a rule.
for row in 2 8 11 12 15 16 17 20 21 23 24 28 29 30 31 32 40 42 43 48 51 52 69 71 73 77 78 81 82 84 86 87 89 95 97 \
    106 108 112 113 119 120 122 132 134 135 136 137 141 142 143 144 151 163 164 165 170 171 175 179 182 191; do
    grep -qE "# scenario $row( |:|\$)" rules/*.yaml || { echo "FAILED: no rule names scenario $row"; exit 1; }
done
echo "playbook: 61 scenarios"

examples=../shared/design/examples
if [ -d "$examples" ]; then
    check examples "$examples"
else
    echo "examples of the design: skipped (not at hand)"
fi
echo "ok"
