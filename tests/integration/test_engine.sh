#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# rouse-engine under the clock of production, which needs Apache Kafka (LogAppendTime):
# tests/unit/engine/test_append.c on a broker of its own. (What needs no such broker is beside
# it.) ROUSE_NO_KAFKA=1 leaves it out.
#
#   tests/integration/test_engine.sh BINDIR
set -euo pipefail

bin=$(cd "$1" && pwd)
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
if [ "${ROUSE_NO_KAFKA:-}" = 1 ]; then
    echo "== Apache Kafka: skipped (ROUSE_NO_KAFKA=1)"
    exit 0
fi
dir=$(mktemp -d)
cleanup() {
    "$root/deploy/kafka.sh" stop --dir "$dir/kafka" 2>/dev/null
    rm -rf "$dir"
}
trap cleanup EXIT
"$root/deploy/kafka.sh" start --dir "$dir/kafka"
ROUSE_ENGINE_BOOTSTRAP=$(cat "$dir/kafka/bootstrap") "$bin/engine_test_append"
