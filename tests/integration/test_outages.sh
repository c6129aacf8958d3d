#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Redis, Kafka and the gateways down at the start and in the middle, killed with -9: each time the services
# wait, say so, and go on by themselves once it is back; SIGTERM ends them in time whatever is away; and at
# the end `rouse verify` finds nothing lost.  On the sandbox broker (record clock; it keeps nothing, so it
# stays up), and on real Kafka (append clock).
set -euo pipefail
bin=$(cd "$1" && pwd)
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
unset ROUSE_BOOTSTRAP # a broker of our own: it is killed
. deploy/lib.sh
die() {
    local s
    echo "FAILED: $*"
    for s in ingest engine dispatcher; do tail -n 8 "$run/log/$s.log" 2>/dev/null | cut -c1-250 || true; done
    exit 1
}
rouse_dir

unwell() { # SERVICE TEXT: /healthz says 503 and TEXT
    local port
    port=$(http_port "$1")
    [ -n "$port" ] && curl -s -m 2 -w ' %{http_code}' "http://127.0.0.1:$port/healthz" | tr '\n' ' ' | grep -q "$2.* 503\$"
}
# What a service has logged since `from_here`.
from_here() { for s in ingest engine dispatcher; do touch "$run/log/$s.log" && wc -l <"$run/log/$s.log" >"$run/$s.from"; done; }
said() { tail -n "+$(($(cat "$run/$1.from") + 1))" "$run/log/$1.log" | grep -q "$2"; }
says() { wait_for 30 "\`$2\` in $1's log" said "$1" "$2" || die "$1 does not say $2"; }
is_unwell() { wait_for 30 "$1 saying $2" unwell "$1" "$2" || die "$1: /healthz does not say $2"; }
is_well() { wait_for 60 "$1 well again" healthy "$1" || die "$1 does not recover: $(curl -s -m 2 "http://127.0.0.1:$(http_port "$1")/healthz")"; }
ends() { # SERVICE WHEN: after SIGTERM, in seconds, with 0
    local pid code=0 began now
    pid=$(cat "$run/pid/$1")
    rm "$run/pid/$1"
    began=$(date +%s%N)
    kill -TERM "$pid"
    wait "$pid" || code=$?
    now=$((($(date +%s%N) - began) / 1000000))
    [ $code = 0 ] || die "$1: exit $code after SIGTERM, $2"
    [ $now -le 20000 ] || die "$1 takes $now ms to end, $2"
    took="${took:-}$1 $now ms, "
}
all_end() { took=''; for s in "${@:2}"; do ends "$s" "$1"; done; echo "SIGTERM, $1: ${took%, }"; }
no_sanitizer() { ! grep -hE '(Sanitizer|runtime error)' "$run"/log/*.log || die "a sanitizer spoke"; }

# ---- the sandbox broker ---------------------------------------------------------------------------------
members=60 days=24 seed=5 partitions=4
played() { [ "$(year_day)" -ge "$1" ]; }
play_until() { wait_for 90 "day $1" played "$1" || die "the year stands at day $(year_day)"; }
time_lapse() { # with the redis-server and the gateways going away
    year_broker
    year_prepare >"$run/prepared" || { cat "$run/prepared"; die "prepare"; }
    stop redis KILL
    stop gateway KILL
    for s in engine dispatcher ingest; do year_service $s; done
    is_unwell engine 'waiting for Redis'
    from_here
    start_redis
    is_well engine
    for s in ingest dispatcher; do is_well $s; done
    says dispatcher event=gateway_trouble.*curl_7
    start_gateway --tolerance 0s --faults 'fail=wechat:0.03,err200=wechat:0.02'
    play_until 4
    from_here
    stop redis KILL
    says engine event=redis_away
    is_unwell engine 'waiting for Redis'
    start_redis
    is_well engine
    play_until 9
    from_here
    stop gateway KILL
    says dispatcher event=gateway_trouble.*curl_7
    start_gateway --tolerance 0s --faults 'fail=wechat:0.03,err200=wechat:0.02'
    play_until 14
    from_here
    curl -sf -m 5 -d down=2s "http://127.0.0.1:$(cat "$run/gateway.port")/_control" >/dev/null || die "/_control"
    says dispatcher event=gateway_trouble.*curl_7
    play_until 18
    stop redis KILL
    ends engine 'Redis away'
    start_redis
    year_service engine
    wait_for 90 'the end of the year' year_finished || die "the year does not end: day $(year_day)"
    all_end 'all is well' ingest engine dispatcher
    verdict=$("$bin/rouse" verify --bootstrap "$bootstrap" --journal "$run/journal" --upstream) || die "verify: $verdict"
    digest=$(sed -n 's/^digest //p' <<<"$verdict")
    no_sanitizer
}
echo "== sandbox broker, record clock"
quiet=$(bash tests/integration/year.sh "$bin" --members $members --days $days --seed $seed --partitions $partitions |
    sed -n 's/^digest //p')
time_lapse
# A request that was in a gateway when it died is ambiguous: the year may then go on in another way.
if [ "$digest" = "$quiet" ]; then
    echo "record clock: nothing lost, digest as without outages"
else
    grep -q ' ambiguous [0-9]' <<<"$verdict" || die "digest $digest, without outages $quiet: $verdict"
    echo "record clock: nothing lost; a request died with its gateway"
fi
for s in gateway redis broker; do stop $s; done

if [ "${ROUSE_NO_KAFKA:-}" = 1 ]; then
    echo "== Apache Kafka, append clock: skipped (ROUSE_NO_KAFKA=1)"
    exit 0
fi

# ---- Apache Kafka ------------------------------------------------------------------------------------------
echo "== Apache Kafka, append clock"
rm -rf "$run"/journal "$run"/appendonlydir "$run"/log/*.log "$run/gateway.port"
mkdir "$run/rules" "$run/gateways"
cat >"$run/rules/shop.yaml" <<'YAML'
events:
  purchase: {topic: trade, id: order_id, member: member_id, fields: {order_id: string}}
tags:
  openid: {type: address}
  orders: {count: purchase}
messages:
  thanks: {purpose: service, via: [wechat], wechat: {template: T1}}
policy: {tz: Asia/Shanghai}
rules:
  thanks: {trigger: purchase, key: event.order_id, do: [{send: thanks}]}
YAML
cat >"$run/gateways/wechat.yaml" <<'YAML'
name: wechat
kind: standard_webhook
address: openid
url: /wechat
plain_http: true
allow: [127.0.0.0/8]
secret_file: gateway.secret
idempotent: true
ambiguous: retry
timeouts: {connect: 1s, total: 1s}
retry: {schedule: [0s, 1s, 1s, 2s, 2s, 3s, 3s, 3s, 3s, 3s, 3s, 3s, 3s, 3s, 3s, 3s]}
answer: {errcode: int}
classify:
  - {when: "j.errcode == 0", then: ok}
  - {when: "j.errcode == -1 || status == 503", then: retry}
  - {when: "true", then: ambiguous}
YAML
service() {
    case $1 in
        engine) start engine "$bin/rouse-engine" --bootstrap "$bootstrap" --redis "$redis" --session 6s ;;
        ingest) start ingest "$bin/rouse-ingest" --bootstrap "$bootstrap" --session 6s ;;
        dispatcher) start dispatcher "$bin/rouse-dispatcher" --bootstrap "$bootstrap" --session 6s --gateways "$run/gateways" \
            --gateway-base "http://127.0.0.1:$(cat "$run/gateway.port")" --secrets "$run/secrets" ;;
    esac
}
services() { for s in engine dispatcher ingest; do service $s; done; }
kill_kafka() { kill -9 "$(cat "$run/kafka/node-1.pid")" && "$root/deploy/kafka.sh" stop --dir "$run/kafka" >/dev/null 2>&1; }
ordered=0
order() { # N purchases of 50 members
    seq $((ordered + 1)) $((ordered + $1)) | awk '{printf "{\"order_id\":\"o%d\",\"member_id\":\"m%d\"}\n", $1, $1 % 50}' |
        "$bin/inbox" put "$bootstrap" trade $((ordered / 100 % 2)) '' - || die "publish orders"
    ordered=$((ordered + $1))
}
arrived() { grep '"processed":true' "$run/journal" 2>/dev/null | grep -o '"id":"[^"]*"' | sort -u | wc -l; }
all_arrived() { [ "$(arrived)" = "$ordered" ]; }
some_arrived() { [ "$(arrived)" -gt "$1" ]; }
delivered() { wait_for 90 "all messages" all_arrived || die "$(arrived) of $ordered messages have arrived, $1"; }

start_redis
start_kafka
start_gateway --tolerance 1h
"$bin/rouse" init --bootstrap "$bootstrap" --redis "$redis" --partitions 4 >"$run/out" || die "init: $(cat "$run/out")"
"$bin/upstream" topics "$bootstrap" trade:2 profile:1
"$bin/rouse" apply --bootstrap "$bootstrap" --gateways "$run/gateways" "$run/rules" >"$run/out" 2>&1 || die "apply: $(cat "$run/out")"
seq 0 49 | sed 's/.*/{"member":"m&","set":{"openid":"o&"}}/' | "$bin/inbox" put "$bootstrap" profile 0 '' -
services
order 100
delivered 'at first'

# Redis in the middle.
from_here
order 200 &
stop redis KILL
wait $! || die "orders"
ordered=$((ordered + 200))
says engine event=redis_away
is_unwell engine 'waiting for Redis'
order 100
all_end 'Redis away' engine
service engine
is_unwell engine 'waiting for Redis'
start_redis
is_well engine
delivered 'after Redis was killed'
echo "Redis killed in the middle: $ordered messages"

# The gateways in the middle: gone, silent, taking and not answering, answering half, 200 and -1.
from_here
before=$(arrived)
order 200 &
wait_for 60 'the first message' some_arrived "$before" || die "nothing arrives"
stop gateway KILL
wait $! || die "orders"
ordered=$((ordered + 200))
order 100
says dispatcher 'event=gateway_trouble.*curl_7'
start_gateway --tolerance 1h
for fault in next=stall:wechat:20 next=lost:wechat:20 next=half:wechat:20 next=busy200:wechat:20 down=1s; do
    curl -sf -m 5 -d "$fault" "http://127.0.0.1:$(cat "$run/gateway.port")/_control" >/dev/null || die "/_control"
    order 100
done
delivered 'after the gateways were killed'
echo "gateways killed and lying in the middle: $ordered messages"

# Kafka in the middle.
kafka_away() {
    from_here
    before=$(arrived)
    order 1000
    wait_for 60 'the first messages' some_arrived "$before" || die "nothing arrives"
    kill_kafka
    for s in engine dispatcher ingest; do says $s event=kafka; done
}
kafka_away
start_kafka
for s in engine dispatcher ingest; do is_well $s; done
order 100
delivered 'after Kafka was killed'
echo "Kafka killed in the middle: $ordered messages"

# Again; and now everything ends and nothing is there at the start.
kafka_away
all_end 'Kafka away' engine dispatcher ingest
stop redis KILL
stop gateway KILL
from_here
services
for s in engine dispatcher ingest; do
    is_unwell $s 'waiting for Kafka'
    says $s event=kafka_away
done
says engine event=redis_away
all_end 'nothing is there at the start' engine dispatcher ingest
services
is_unwell engine 'waiting for Kafka'
from_here
start_kafka
is_unwell engine 'waiting for Redis'
start_redis
order 100
for s in engine dispatcher ingest; do is_well $s; done
says dispatcher 'event=gateway_trouble.*curl_7'
start_gateway --tolerance 1h
delivered 'after a start without Kafka, Redis and gateways'
echo "down at the start: $ordered messages"

verified() { "$bin/rouse" verify --bootstrap "$bootstrap" --journal "$run/journal" --upstream >"$run/verdict" 2>&1; }
wait_for 30 'a clean verify' verified || die "verify: $(cat "$run/verdict")"
all_end 'all is well' ingest engine dispatcher
verified || die "verify: $(cat "$run/verdict")"
grep -q "accepted   $ordered sends, sent $ordered;" "$run/verdict" || die "verify: $(cat "$run/verdict")"
no_sanitizer
cat "$run/verdict"
echo ok
