#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The contract of common/kafka on the sandbox broker and on Apache Kafka: the same assertions
# (tests/unit/kafka/test_contract.c) against both. ROUSE_NO_KAFKA=1 leaves Apache Kafka out;
# ROUSE_KAFKA_VERSIONS names the versions (default 4.2.0).
#
#   tests/integration/test_kafka_contract.sh BINDIR
set -euo pipefail

bin=$(cd "$1" && pwd)
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
dir=$(mktemp -d)
broker=

cleanup() {
    [ -n "$broker" ] && kill "$broker" 2>/dev/null && wait "$broker" 2>/dev/null
    "$root/deploy/kafka.sh" stop --dir "$dir/kafka" 2>/dev/null
    rm -rf "$dir"
}
trap cleanup EXIT

wait_for() { # FILE PID
    local end=$((SECONDS + 30))
    until [ -s "$1" ]; do
        kill -0 "$2" 2>/dev/null || { cat "$dir/broker.log" >&2; echo "the sandbox broker has ended" >&2; exit 1; }
        [ $SECONDS -lt $end ] || { echo "no $1 after 30 s" >&2; exit 1; }
        sleep 0.05
    done
}

# A seeded year: the same records in the same partitions on every broker, whoever made the topics.
generate() { # ADDRESS NAME
    "$bin/rouse-sandbox" generate --bootstrap "$1" --members 60 --days 120 --seed 9 --malformed-per 100 \
        >"$dir/year.$2"
    grep -q '^year members=60 ' "$dir/year.$2"
    cmp "$dir/year.sandbox" "$dir/year.$2"
}

echo "== the sandbox broker"
upstream=$(. "$root/deploy/lib.sh" && printf '%s:4,' $year_upstream)
upstream=${upstream%,}
"$bin/rouse-sandbox" broker --topics "contract.log:4,contract.group:4,$upstream" \
    --bootstrap-file "$dir/bootstrap" >/dev/null 2>"$dir/broker.log" &
broker=$!
wait_for "$dir/bootstrap" "$broker"
address=$(cat "$dir/bootstrap")
"$bin/rouse-sandbox" ping --bootstrap "$address" --timeout 10s
ROUSE_CONTRACT_BOOTSTRAP=$address "$bin/kafka_test_contract"
generate "$address" sandbox
kill "$broker"
wait "$broker" || { echo "the sandbox broker ended with $?" >&2; exit 1; }
broker=
if "$bin/rouse-sandbox" ping --bootstrap "$address" --timeout 500ms 2>/dev/null; then
    echo "something still answers at $address" >&2
    exit 1
fi

if [ "${ROUSE_NO_KAFKA:-}" = 1 ]; then
    echo "== Apache Kafka: skipped (ROUSE_NO_KAFKA=1)"
    exit 0
fi
for version in ${ROUSE_KAFKA_VERSIONS:-4.2.0}; do
    echo "== Apache Kafka $version"
    "$root/deploy/kafka.sh" start --dir "$dir/kafka" --version "$version"
    "$bin/rouse-sandbox" ping --bootstrap "$(cat "$dir/kafka/bootstrap")" --timeout 10s
    ROUSE_CONTRACT_BOOTSTRAP=$(cat "$dir/kafka/bootstrap") "$bin/kafka_test_contract"
    generate "$(cat "$dir/kafka/bootstrap")" kafka
    "$root/deploy/kafka.sh" stop --dir "$dir/kafka"
    rm -rf "$dir/kafka"
done
