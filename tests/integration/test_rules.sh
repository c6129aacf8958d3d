#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The shipped rule pack and the examples of its README pages: checked without a finding, tests pass.
# The design's own examples too, where they are at hand (without the lunar rule, which is not built yet).
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

examples=../shared/design/examples
if [ -d "$examples" ]; then
    mkdir "$dir/examples"
    cp "$examples/shop.yaml" "$dir/examples"
    awk '/^  [a-z_]+:/ {skip = /^  lunar_birthday:/} !skip' "$examples/rules.yaml" >"$dir/examples/rules.yaml"
    sed '/^  lunar_birthday:.*lunar_date/d' -i "$dir/examples/shop.yaml"
    cp "$examples/tests.yaml" "$dir/examples"
    check examples "$dir/examples"
else
    echo "examples of the design: skipped (not at hand)"
fi
echo "ok"
