#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 of engine, dispatcher, ingest and redis-server (AOF on), in turn, in the middle of the demo's
# workload on real Apache Kafka, restarted each time.  Afterwards `rouse verify` folds the run's own log
# and compares: nothing lost, doubled, invented or different; and the digest is that of a quiet run.
#
#   tests/integration/chaos.sh BINDIR [--kills N] [--members N] [--days N] [--seed N] [--digest HEX] [--sandbox]
#
# --digest  what a run without kills printed; without it a quiet run on the sandbox broker goes first
# --sandbox the sandbox broker instead of Kafka (for looking at the script; proves nothing about Kafka)
set -euo pipefail
bin=$(cd "$1" && pwd)
shift
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
kills=12 members=400 days=90 seed=7 partitions=8 digest='' broker=kafka
while [ $# -gt 0 ]; do
    case $1 in
        --sandbox) broker='' ;;
        --kills | --members | --days | --seed | --digest) declare "${1#--}=$2"; shift ;;
        *) echo "chaos.sh: unknown option $1" >&2; exit 2 ;;
    esac
    shift
done
if [ -z "$digest" ]; then
    digest=$(bash tests/integration/year.sh "$bin" --members "$members" --days "$days" --seed "$seed" --partitions "$partitions" |
        sed -n 's/^digest //p')
    echo "quiet run on the sandbox broker: digest $digest"
fi
. deploy/lib.sh
rouse_dir
year_broker $broker
year_prepare | tail -n 1
for s in engine dispatcher ingest; do year_service $s; done

# Kill the next victim once the year has gone on by `step` days since the last one.
victims=(engine dispatcher ingest redis)
step=$((days / (kills + 2)))
[ "$step" -ge 1 ] || step=1
next=$step killed=0 end=$(($(date +%s) + 900))
until year_finished; do
    [ "$(date +%s)" -lt "$end" ] || { echo "FAILED: the year does not end (day $(year_day))"; tail -n 5 "$run"/log/*.log; exit 1; }
    year_alive engine dispatcher ingest redis
    if [ $killed -lt "$kills" ] && [ "$(year_day)" -ge $next ]; then
        victim=${victims[$((killed % 4))]}
        echo "day $(year_day): kill -9 $victim"
        stop "$victim" KILL
        if [ "$victim" = redis ]; then start_redis; else year_service "$victim"; fi
        killed=$((killed + 1))
        next=$(($(year_day) + step))
        [ "$next" -gt $((step * (killed + 1))) ] || next=$((step * (killed + 1)))
    fi
    sleep 0.1
done
echo "$killed kills in $days days"
[ $killed -ge $((kills - 2)) ] || { echo "FAILED: the year was over before the kills"; exit 1; }
for s in ingest engine dispatcher; do stop $s; done
out=$("$bin/rouse" verify --bootstrap "$bootstrap" --journal "$run/journal" --upstream) || { echo "$out"; echo "FAILED: verify"; exit 1; }
echo "$out"
got=$(sed -n 's/^digest //p' <<<"$out")
[ "$got" = "$digest" ] || { echo "FAILED: digest $got, a quiet run has $digest"; exit 1; }
echo "ok: same digest as the quiet run"
