#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 of everything in turn with the production clock (append: the broker's time, ticks, timers of a
# few seconds, real retries), on real Apache Kafka, two engines and two dispatchers sharing the
# partitions.  Afterwards the run's own log is folded offline and compared, as in chaos.sh.
#
#   tests/integration/chaos_append.sh BINDIR [--kills N] [--events N] [--rate N] [--members N]
set -euo pipefail
bin=$(cd "$1" && pwd)
shift
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
kills=12 events=60000 rate=1000 members=3000 partitions=8
while [ $# -gt 0 ]; do
    case $1 in
        --kills | --events | --rate | --members) declare "${1#--}=$2"; shift ;;
        *) echo "chaos_append.sh: unknown option $1" >&2; exit 2 ;;
    esac
    shift
done
. deploy/lib.sh
rouse_dir
start_redis
start_kafka
mkdir "$run/secrets"
printf 'whsec_%s\n' "$(head -c 24 /dev/urandom | base64)" >"$run/secrets/gateway.secret"
start gateway "$bin/rouse-sandbox" gateway --listen 127.0.0.1:0 --port-file "$run/gateway.port" \
    --journal "$run/journal" --secret-file "$run/secrets/gateway.secret"
wait_for 20 'the gateways' test -s "$run/gateway.port"
"$bin/rouse" init --bootstrap "$bootstrap" --redis "$redis" --partitions $partitions --clock append | tail -n 1
"$bin/rouse" apply --bootstrap "$bootstrap" --gateways deploy/gateways tests/cases/chaos | tail -n 1
# Before ingest subscribes: a topic that comes later is found with the next look at the metadata, in a minute.
"$bin/upstream" topics "$bootstrap" trade.order.paid:4 web.browse:4 community.post:4 profile:1

service() {
    case $1 in
        engine*) start "$1" "$bin/rouse-engine" --bootstrap "$bootstrap" --redis "$redis" --session 6s ;;
        dispatcher*) start "$1" "$bin/rouse-dispatcher" --bootstrap "$bootstrap" --session 6s --gateways deploy/gateways \
            --gateway-base "http://127.0.0.1:$(cat "$run/gateway.port")" --secrets "$run/secrets" ;;
        ingest) start ingest "$bin/rouse-ingest" --bootstrap "$bootstrap" --session 6s ;;
        redis) start_redis ;;
    esac
}
services=(engine engine2 dispatcher dispatcher2 ingest)
for s in "${services[@]}"; do service "$s"; done
start load "$bin/rouse-sandbox" generate --bootstrap "$bootstrap" --bench --count "$events" --members "$members" --rate "$rate"

# How far things have come, whoever is alive: requests that reached the gateway.
progress() { wc -l <"$run/journal"; }
# The groups have formed and messages flow before the first kill.
wait_for 60 'the first messages' bash -c "[ \$(wc -l <'$run/journal') -ge 100 ]"
victims=(engine dispatcher ingest redis engine2 dispatcher2)
killed=0 end=$(($(date +%s) + 600))
while [ $killed -lt "$kills" ]; do
    [ "$(date +%s)" -lt "$end" ] || { echo "FAILED: no progress (journal $(progress))"; exit 1; }
    before=$(progress)
    victim=${victims[$((killed % ${#victims[@]}))]}
    echo "journal $before: kill -9 $victim"
    stop "$victim" KILL
    service "$victim"
    killed=$((killed + 1))
    # Go on when messages have arrived since, or the load is over.
    until [ "$(progress)" -ge $((before + 100)) ] || ! alive load; do
        [ "$(date +%s)" -lt "$end" ] || { echo "FAILED: nothing arrives after kill of $victim"; tail -n 5 "$run"/log/*.log; exit 1; }
        sleep 0.1
    done
done
wait_for 120 'the end of the load' bash -c "! kill -0 $(cat "$run/pid/load") 2>/dev/null"
rm -f "$run/pid/load"
# Quiet now: everything that was published has to be decided and answered.
status=1
for ((i = 0; i < 60 && status; i++)); do
    status=0
    "$bin/rouse" verify --bootstrap "$bootstrap" --journal "$run/journal" --upstream >"$run/verify" || status=$?
done
cat "$run/verify"
[ $status -eq 0 ] || { echo "FAILED: verify"; tail -n 5 "$run"/log/*.log; exit 1; }
echo "ok: $killed kills"
