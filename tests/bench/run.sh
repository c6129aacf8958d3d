#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# How fast is it, and what does an event cost?  On real Apache Kafka in append mode, redis-server with AOF
# everysec, the shipped rules:
#
#   pipeline  ingest and engine from full upstream topics to rouse.decisions
#   engine    engine and a fresh Redis alone, over the rouse.log that is then there
#   floor     the least that could do the same work: consume, MGET, MSET of the same bytes
#   latency   5,000 events a second with the whole chain: from an event's own time to the gateway
#
#   tests/bench/run.sh [BINDIR] [--events N] [--members N] [--partitions N] [--rate N] [--seconds N]
#                      [--only PHASES] [--sandbox]
#
# Without BINDIR a release is built in build/release.  --only: a list of throughput,latency,sandbox.
# --sandbox also plays a year on the sandbox broker, which is too small for the rest.  Nothing is asserted: a
# machine has what it has.  What can be compared are the ratios to the floor of the same run, and CPU time
# an event; `free` is the rate that this CPU time allows on as many cores as there are, if nothing else ran.
# The last line is JSON.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
bin='' events=4000000 members=1000000 partitions=16 rate=5000 seconds=20 only=throughput,latency
while [ $# -gt 0 ]; do
    case $1 in
        --events | --members | --partitions | --rate | --seconds | --only) declare "${1#--}=$2"; shift ;;
        --sandbox) only=$only,sandbox ;;
        -*) echo "run.sh: unknown option $1" >&2; exit 2 ;;
        *) bin=$(cd "$1" && pwd) ;;
    esac
    shift
done
if [ -z "$bin" ]; then
    deploy/install.sh build run kafka
    cmake -S . -B build/release -G Ninja -DCMAKE_BUILD_TYPE=Release >/dev/null
    ninja -C build/release >/dev/null
    bin=$root/build/release/bin
fi
. deploy/lib.sh
results=$(mktemp "${TMPDIR:-/tmp}/rouse-bench.XXXXXX")
trap 'rm -f "$results"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
hz=$(getconf CLK_TCK)

put() { printf '%s %s\n' "$1" "$2" >>"$results"; }
calc() { awk "BEGIN {printf \"%.${2:-2}f\", $1}"; }

# ---- looking at processes ----------------------------------------------------------------------------------

pid_of() {
    case $1 in
        broker) cat "$run/kafka/node-1.pid" 2>/dev/null || cat "$run/pid/broker" ;;
        *) cat "$run/pid/$1" ;;
    esac
}
# user and system time so far, in ticks; with `forks` that of its children that have ended
ticks() {
    awk -v c="${2:-}" '{sub(/.*\) /, ""); print c ? $14 + $15 : $12 + $13}' "/proc/$(pid_of "$1")/stat"
}
peak_mib() { awk '/^VmHWM/ {printf "%.0f", $2 / 1024}' "/proc/$(pid_of "$1")/status"; }

declare -A ticks0
clock_start() { # NAME…
    local n
    for n in "$@"; do
        ticks0[$n]=$(ticks "$n")
        ticks0[$n.forks]=$(ticks "$n" forks)
    done
    ns0=$(date +%s%N)
}
# clock_stop PHASE EVENTS NAME…: a table, and the same as results
clock_stop() {
    local phase=$1 n=$2 s sum=0 p
    s=$(calc "($(date +%s%N) - $ns0) / 1e9" 3)
    shift 2
    put "$phase.events" "$n"
    put "$phase.seconds" "$s"
    put "$phase.per_second" "$(calc "$n / $s" 0)"
    printf '  %-12s %12s %12s\n' process 'µs an event' 'peak MiB'
    for p in "$@"; do
        put "$phase.$p.us" "$(calc "($(ticks "$p") - ${ticks0[$p]}) / $hz * 1e6 / $n" 3)"
        put "$phase.$p.mib" "$(peak_mib "$p")"
        sum=$(calc "$sum + $(got "$phase.$p.us")" 3)
        printf '  %-12s %12s %12s%s\n' "$p" "$(got "$phase.$p.us")" "$(got "$phase.$p.mib")" "$(forks "$phase" "$p" "$n")"
    done
    put "$phase.us" "$sum"
    printf '  %-12s %12s\n' all "$sum"
    printf '  %s events in %s s: %s a second, load %s' "$n" "$s" "$(calc "$n / $s" 0)" "$(cut -d' ' -f1 /proc/loadavg)"
}
forks() { # redis-server writes its AOF anew in a child
    local c
    c=$(calc "($(ticks "$2" forks) - ${ticks0[$2.forks]}) / $hz * 1e6 / $3" 3)
    case $2 in redis*) put "$1.$2.rewrite_us" "$c" && printf '   (and %s in AOF rewrites that ended)' "$c" ;; esac
}
free() { # PHASE
    put "$1.free_per_second" "$(calc "$(nproc) * 1e6 / $(got "$1.us")" 0)"
    printf '; free %s' "$(got "$1.free_per_second")"
}
got() { awk -v k="$1" '$1 == k {v = $2} END {print v}' "$results"; }

above() { [ "$(metric "$1" "$2" || echo 0)" -gt "$3" ]; }
is() { [ "$(metric "$1" "$2" || echo -1)" = "$3" ]; }

other_redis() { # NAME: a fresh one; sets $redis
    mkdir "$run/$1"
    redis=unix:$run/$1/redis.sock
    start "$1" redis-server --port 0 --unixsocket "$run/$1/redis.sock" --dir "$run/$1" --save '' \
        --appendonly yes --appendfsync everysec --maxmemory-policy noeviction --daemonize no
    wait_for 20 redis-server redis-cli -s "$run/$1/redis.sock" ping
}

# ---- throughput ---------------------------------------------------------------------------------------------

pipeline() {
    local seen
    echo "== pipeline: upstream topics to rouse.decisions"
    start engine "$bin/rouse-engine" --bootstrap "$bootstrap" --redis "$redis"
    wait_for 60 'the engine' is engine rouse_engine_partitions "$partitions"
    start ingest "$bin/rouse-ingest" --bootstrap "$bootstrap"
    wait_for 60 'the first records' above ingest rouse_ingest_records_total 0
    seen=$(metric ingest rouse_ingest_records_total)
    clock_start ingest engine redis broker
    "$bin/bench_wait" "$bootstrap" rouse-ingest 900 web.browse trade.order.paid community.post
    put pipeline.ingest_seconds "$(calc "($(date +%s%N) - $ns0) / 1e9" 3)"
    "$bin/bench_wait" "$bootstrap" rouse-engine 900 rouse.log
    clock_stop pipeline $((events - seen)) ingest engine redis broker
    free pipeline
    printf '\n  ingest had read all after %s s; dead letters %s, sends %s, withheld %s\n' "$(got pipeline.ingest_seconds)" \
        "$(metric ingest rouse_ingest_dead_total || echo 0)" "$(metric engine rouse_engine_sends_total || echo 0)" \
        "$(metric engine rouse_engine_withholds_total || echo 0)"
    stop ingest
    stop engine
}

# What a member takes in Redis: bytes of the blob, bytes of memory.
state_size() {
    local keys
    keys=$(redis-cli -s "$run/redis.sock" dbsize)
    redis-cli -s "$run/redis.sock" info memory | tr -d '\r' |
        awk -F: -v n="$keys" '$1 == "used_memory" {printf "%.0f\n", $2 / n}' >"$run/memory"
    redis-cli -s "$run/redis.sock" --scan --pattern 'rouse:*:s:*' >"$run/keys"
    head -n 5000 "$run/keys" | sed 's/^/STRLEN /' | redis-cli -s "$run/redis.sock" |
        awk '{s += $1; n++} END {printf "%.0f\n", s / n}' >"$run/state"
    put state.members "$(wc -l <"$run/keys")"
    put state.bytes "$(cat "$run/state")"
    put state.redis_bytes "$(cat "$run/memory")"
    echo "  $(wc -l <"$run/keys") members: blobs of $(cat "$run/state") bytes, $(cat "$run/memory") bytes of Redis a member"
}

engine_alone() {
    local seen
    echo "== engine: engine and Redis alone, over rouse.log"
    other_redis redis2
    "$bin/rouse" init --bootstrap "$bootstrap" --redis "$redis" --partitions "$partitions" >/dev/null
    : >"$run/log/engine.log"
    start engine "$bin/rouse-engine" --bootstrap "$bootstrap" --redis "$redis" --group bench-engine
    wait_for 60 'the first events' above engine rouse_engine_events_total 0
    seen=$(metric engine rouse_engine_events_total)
    clock_start engine redis2 broker
    "$bin/bench_wait" "$bootstrap" bench-engine 900 rouse.log
    clock_stop engine $((events - seen)) engine redis2 broker
    free engine
    curl -s "http://127.0.0.1:$(http_port engine)/metrics" | grep -v '^#' >"$run/engine.metrics" || true
    printf '\n'
    echo "  $(awk '/^rouse_engine_commits_total/ {c = $2} /^rouse_engine_commit_members_total/ {m = $2}
        END {printf "%d commits, %.1f members each", c, m / c}' "$run/engine.metrics")"
    stop engine
    stop redis2
}

floor() {
    echo "== floor: consume, MGET, MSET of $(cat "$run/state") bytes"
    other_redis redis3
    clock_start redis3 broker
    "$bin/bench_floor" "$bootstrap" "$redis" "$partitions" "$(cat "$run/state")" >"$run/floor"
    clock_stop floor "$events" redis3 broker
    printf '\n'
    put floor.floor.us "$(awk -v n="$events" '{split($4, c, "="); printf "%.3f", c[2] * 1e6 / n}' "$run/floor")"
    echo "  consumer     $(got floor.floor.us) µs an event"
    stop redis3
}

ratio() { # TEXT KEY A B
    put "$2" "$(calc "$3 / $4")"
    printf '  %-50s %s\n' "$1" "$(calc "$3 / $4")"
}
ratios() {
    echo "== ratios to the floor"
    ratio 'engine CPU : floor consumer CPU' ratio.engine "$(got engine.engine.us)" "$(got floor.floor.us)"
    ratio 'Redis CPU : floor Redis CPU' ratio.redis "$(got engine.redis2.us)" "$(got floor.redis3.us)"
    ratio 'engine and Redis CPU : floor' ratio.both "($(got engine.engine.us) + $(got engine.redis2.us))" \
        "($(got floor.floor.us) + $(got floor.redis3.us))"
    ratio 'events a second, engine alone : floor' ratio.rate "$(got engine.per_second)" "$(got floor.per_second)"
}

throughput() {
    rouse_dir
    start_redis
    start_kafka
    "$bin/rouse" init --bootstrap "$bootstrap" --redis "$redis" --partitions "$partitions" >"$run/init"
    echo "== publish $events events of $members members"
    "$bin/rouse-sandbox" generate --bench --bootstrap "$bootstrap" --count "$events" --members "$members" | sed 's/^/  /'
    "$bin/rouse" apply --bootstrap "$bootstrap" --gateways "$root/deploy/gateways" "$root/rules" >"$run/apply" ||
        { cat "$run/apply"; return 1; }
    pipeline
    state_size
    engine_alone
    floor
    ratios
}

# ---- latency --------------------------------------------------------------------------------------------------

journalled() { [ "$(wc -l <"$run/journal")" -ge "$1" ]; }
orders() { awk '{split($0, w, /records=/); if (/topic=trade.order.paid /) print w[2] + 0}' "$1"; }

latency() {
    local from n
    rouse_dir
    start_redis
    start_kafka
    mkdir "$run/secrets"
    printf 'whsec_%s\n' "$(head -c 24 /dev/urandom | base64)" >"$run/secrets/gateway.secret"
    chmod 600 "$run/secrets/gateway.secret"
    : >"$run/journal"
    start gateway "$bin/rouse-sandbox" gateway --listen 127.0.0.1:0 --port-file "$run/gateway.port" \
        --journal "$run/journal" --secret-file "$run/secrets/gateway.secret"
    wait_for 20 'the gateway' test -s "$run/gateway.port"
    "$bin/rouse" init --bootstrap "$bootstrap" --redis "$redis" --partitions "$partitions" >"$run/init"
    "$bin/rouse" apply --bootstrap "$bootstrap" --gateways tests/bench/gateways tests/bench/rules >"$run/apply" ||
        { cat "$run/apply"; return 1; }
    echo "== latency: $rate events a second for $seconds s, every order a webhook"
    publish 1 "$rate" # makes the topics, and warms everything up
    start engine "$bin/rouse-engine" --bootstrap "$bootstrap" --redis "$redis"
    start dispatcher "$bin/rouse-dispatcher" --bootstrap "$bootstrap" --gateways tests/bench/gateways \
        --gateway-base "http://127.0.0.1:$(cat "$run/gateway.port")" --secrets "$run/secrets"
    start ingest "$bin/rouse-ingest" --bootstrap "$bootstrap"
    wait_for 60 'the first webhooks' journalled "$(orders "$run/published1")"
    from=$(date +%s%3N)
    clock_start ingest engine dispatcher redis broker
    publish 2 $((rate * seconds))
    n=$(($(orders "$run/published1") + $(orders "$run/published2")))
    wait_for 60 'the last webhook' journalled "$n"
    clock_stop latency $((rate * seconds)) ingest engine dispatcher redis broker
    printf '\n'
    sed -nE "s/.*\"at_ns\":([0-9]+).*\"text\":\"([0-9]+)\".*/\1 \2/p" "$run/journal" |
        awk -v from="$from" '$2 >= from {printf "%.3f\n", $1 / 1e6 - $2}' | sort -n >"$run/latencies"
    percentiles
}

publish() { # SEED COUNT
    "$bin/rouse-sandbox" generate --bench --bootstrap "$bootstrap" --count "$2" --members "$members" --rate "$rate" \
        --seed "$1" --linger 1ms >"$run/published$1"
}

percentiles() {
    local n p
    n=$(wc -l <"$run/latencies")
    put latency.webhooks "$n"
    printf '  webhooks %s, ms' "$n"
    for p in 50 90 99 100; do
        put "latency.p$p" "$(sed -n "$((n * p / 100 > 0 ? n * p / 100 : 1))p" "$run/latencies")"
        printf '  p%s %s' $p "$(got latency.p$p)"
    done
    printf '\n'
}

# ---- the sandbox broker -----------------------------------------------------------------------------------------

sandbox() {
    local members=2000 days=365 seed=1 partitions=8 n s
    rouse_dir
    year_broker
    year_prepare >"$run/prepared"
    n=$(awk '/^year / {sub(/.*records=/, ""); print $1 + 0}' "$run/prepared")
    echo "== sandbox broker: a time-lapse year, $n upstream records of $members members"
    year_service engine
    year_service dispatcher
    wait_for 60 'the engine' is engine rouse_engine_partitions "$partitions"
    year_service ingest
    wait_for 60 'the first records' above ingest rouse_ingest_records_total 0
    clock_start ingest engine dispatcher redis broker gateway
    until year_finished; do
        year_alive engine dispatcher ingest gateway
        sleep 0.2
    done
    clock_stop sandbox "$n" ingest engine dispatcher redis broker gateway
    printf '\n'
}

# ---- all of it ------------------------------------------------------------------------------------------------

printf 'rouse bench: %s cores, load %s at the start\n' "$(nproc)" "$(cut -d' ' -f1 /proc/loadavg)"
put cores "$(nproc)"
put load "$(cut -d' ' -f1 /proc/loadavg)"
for phase in throughput latency sandbox; do
    [[ ,$only, == *,$phase,* ]] || continue
    ("$phase")
done
awk '{printf "%s\"%s\":%s", NR == 1 ? "{" : ",", $1, $2} END {print "}"}' "$results"
