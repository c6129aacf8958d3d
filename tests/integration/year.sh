#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A small time-lapse year, quietly, on the sandbox broker (--kafka: real Kafka); prints what
# `rouse verify` says of it.  The same log is then folded again in other bites, zones and locales, and by
# the binaries of another compiler where --also names them: the digest must not change.
#
#   tests/integration/year.sh BINDIR [--kafka] [--members N] [--days N] [--seed N] [--partitions N] [--engines N]
#       [--also BINDIR]
set -euo pipefail
bin=$(cd "$1" && pwd)
shift
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
members=400 days=90 seed=7 partitions=8 engines=1 broker='' also=''
while [ $# -gt 0 ]; do
    case $1 in
        --kafka) broker=kafka ;;
        --members | --days | --seed | --partitions | --engines | --also) declare "${1#--}=$2"; shift ;;
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
digest=$(sed -n 's/^digest //p' <<<"$first")
again() { # what, environment…, binary, bite
    local what=$1 got
    shift
    got=$(env "${@:1:$#-2}" "${@:$#-1:1}/rouse" verify --bootstrap "$bootstrap" --bite "${@:$#}" | sed -n 's/^digest //p')
    [ "$got" = "$digest" ] || { echo "FAILED: $what: the digest is $got"; exit 1; }
    echo "the same digest: $what"
}
again 'bites of 1 member, TZ=UTC' TZ=UTC LC_ALL=C "$bin" 1
again 'bites of 7, New York, C.UTF-8' TZ=America/New_York LC_ALL=C.UTF-8 "$bin" 7
again 'bites of 500, Kolkata, Turkish' TZ=Asia/Kolkata LC_ALL=tr_TR.UTF-8 "$bin" 500
[ -z "$also" ] || again "the binaries in ${also##*/}" TZ=UTC "$also" 0
