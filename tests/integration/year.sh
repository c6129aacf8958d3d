#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A small time-lapse year, quietly, on the sandbox broker (--kafka: real Kafka); prints what
# `rouse verify` says of it.  --bite N folds again in commits of at most N members.
#
#   tests/integration/year.sh BINDIR [--kafka] [--members N] [--days N] [--seed N] [--partitions N] [--engines N]
set -euo pipefail
bin=$(cd "$1" && pwd)
shift
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
members=400 days=90 seed=7 partitions=8 engines=1 broker=''
while [ $# -gt 0 ]; do
    case $1 in
        --kafka) broker=kafka ;;
        --members | --days | --seed | --partitions | --engines) declare "${1#--}=$2"; shift ;;
        *) echo "year.sh: unknown option $1" >&2; exit 2 ;;
    esac
    shift
done
. deploy/lib.sh
rouse_dir
year_broker $broker
year_prepare >"$run/prepared" || { cat "$run/prepared"; exit 1; }
for s in engine dispatcher ingest; do year_service $s; done
for ((i = 2; i <= engines; i++)); do
    start "engine$i" "$bin/rouse-engine" --bootstrap "$bootstrap" --redis "$redis" --session 6s
done
end=$(($(date +%s) + 600))
until year_finished; do
    [ "$(date +%s)" -lt "$end" ] || { echo "FAILED: the year does not end (day $(year_day))"; tail -n 5 "$run"/log/*.log; exit 1; }
    year_alive engine dispatcher ingest gateway
    sleep 0.1
done
first=$("$bin/rouse" verify --bootstrap "$bootstrap" --journal "$run/journal" --upstream) || { echo "$first"; echo "FAILED: verify"; exit 1; }
echo "$first"
# The same log in other bites, zones and locales: the same digest.
for env in "TZ=UTC LC_ALL=C --bite 1" "TZ=America/New_York LC_ALL=C.UTF-8 --bite 7" "TZ=Asia/Kolkata LC_ALL=tr_TR.UTF-8 --bite 500"; do
    again=$(env ${env%% --*} "$bin/rouse" verify --bootstrap "$bootstrap" --bite "${env##* }" | sed -n 's/^digest //p')
    [ "$again" = "$(sed -n 's/^digest //p' <<<"$first")" ] || { echo "FAILED: with $env the digest is $again"; exit 1; }
done
