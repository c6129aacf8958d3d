#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# rouse-dispatcher alone, with the sandbox broker and gateways: decisions are written by a test tool, and
# afterwards decisions, rouse.outcomes and the gateways' journal are compared.  Killed with -9 at every
# point of its loop, frozen and replaced, fed duplicates and gaps, its gateways down, silent, lying.
# ROUSE_REAL_KAFKA=1: the same on Apache Kafka.
set -euo pipefail
bin=$1
cd "$(dirname "$0")/../.."
export PARTITIONS=4
pids=()
stop_all() {
    for d in "$dir"/*/kafka; do [ ! -d "$d" ] || bash deploy/kafka.sh stop --dir "$d" >/dev/null 2>&1 || true; done
    for pid in "${pids[@]}"; do kill -CONT "$pid" 2>/dev/null || true; kill -9 "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$dir"
}
dir=$(mktemp -d)
trap stop_all EXIT
die() { echo "FAILED: $*"; tail -n 25 "$work/dispatcher.log" 2>/dev/null | cut -c1-300 || true; exit 1; }
until_true() { # seconds command…: ask until it says yes
    local end=$((SECONDS + $1)); shift
    until "$@"; do [ $SECONDS -lt $end ] || return 1; sleep 0.05; done
}

adapter() { # file name lines…
    local to=$1 name=$2; shift 2
    { printf 'name: %s\nkind: standard_webhook\nurl: /%s\nplain_http: true\nallow: [127.0.0.0/8]\n' "$name" "$name"
      printf 'secret_file: gateway.secret\n'; printf '%s\n' "$@"; } >"$to"
}
world() { # name clock gateway-arguments…: a broker, gateways and adapters of its own
    work=$dir/$1; mkdir "$work" "$work/gateways"
    local clock=$2; shift 2
    echo whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw >"$work/gateway.secret"
    adapter "$work/gateways/sms.yaml" sms 'address: phone' 'timeouts: {connect: 1s, total: 1s}' \
        'ambiguous: {reconcile: 1s, then: fail}' 'retry: {schedule: [0s, 1s, 1s]}'
    adapter "$work/gateways/wechat.yaml" wechat 'address: openid' 'timeouts: {connect: 1s, total: 1s}' \
        'idempotent: true' 'ambiguous: retry' 'retry: {schedule: [0s, 1s, 1s, 1s]}' 'answer: {errcode: int}' \
        'classify:' '  - {when: "j.errcode == 0", then: ok}' '  - {when: "j.errcode == -1", then: retry}' \
        '  - {when: "j.errcode == 43004", then: permanent_recipient}' '  - {when: "status == 503", then: retry}' \
        '  - {when: "true", then: ambiguous}'
    broker=''
    if [ -n "${ROUSE_REAL_KAFKA:-}" ]; then
        bash deploy/kafka.sh start --dir "$work/kafka" >"$work/broker.log" 2>&1 || die "Kafka does not start"
        cp "$work/kafka/bootstrap" "$work/broker"
    else
        "$bin/rouse-sandbox" broker --bootstrap-file "$work/broker" \
            --topics rouse.control:1,rouse.decisions:$PARTITIONS,rouse.outcomes:$PARTITIONS >"$work/broker.log" 2>&1 &
        broker=$!; pids+=("$broker")
    fi
    gateway "$@"
    until_true 20 test -s "$work/broker" || die "the broker does not start"
    boot=$(cat "$work/broker")
    "$bin/outbox" genesis "$boot" $PARTITIONS "$clock" || die "genesis"
}
gateway() { # arguments…
    "$bin/rouse-sandbox" gateway --port-file "$work/port" --journal "$work/journal" \
        --secret-file "$work/gateway.secret" --tolerance 0s "$@" >>"$work/gateway.log" 2>&1 &
    gw=$!; pids+=("$gw")
    until_true 20 test -s "$work/port" || die "the gateway does not start"
    port=$(cat "$work/port")
}
dispatcher() { # arguments…
    : >"$work/dispatcher.one"
    "$bin/rouse-dispatcher" --bootstrap "$boot" --gateways "$work/gateways" --secrets "$work" \
        --gateway-base "http://127.0.0.1:$port" --session 6s --fetch-wait 5ms --http 127.0.0.1:0 "$@" \
        > >(tee -a "$work/dispatcher.log" >"$work/dispatcher.one") 2>&1 &
    disp=$!; pids+=("$disp")
}
http() { # path
    local p; p=$(sed -n 's/.*event=started.*http_port=\([0-9]*\).*/\1/p' "$work/dispatcher.one" | head -n 1)
    [ -n "$p" ] && curl -s --max-time 5 "http://127.0.0.1:$p$1"
}
publish() { "$bin/outbox" publish "$boot" "$work/state" "$work/list" "$@" || die "publish"; }
caught_up() { "$bin/outbox" wait "$boot" $PARTITIONS "${1:-60}" 2>>"$work/dispatcher.log" || die "$name: not caught up"; }
control() { curl -sf --max-time 5 -d "$1" "http://127.0.0.1:$port/_control" >/dev/null || die "control"; }
stop_dispatcher() { kill "$disp"; wait "$disp" || die "$name: exit code $?"; }
judge() {
    "$bin/outbox" outcomes "$boot" $PARTITIONS >"$work/outcomes" || die "outcomes"
    verdict=$("$bin/outbox" judge "$work/list" "$work/outcomes" "$work/journal") || die "$name: $verdict"
    echo "$name: $verdict"
}
end_world() {
    kill "$gw" $broker 2>/dev/null || true; wait "$gw" $broker 2>/dev/null || true
    [ ! -d "$work/kafka" ] || bash deploy/kafka.sh stop --dir "$work/kafka" >/dev/null 2>&1 || true
}
expect() { grep -q "$1" <<<"$verdict" || die "$name: expected $1 in: $verdict"; }

name="clean, with duplicates"
world clean append
publish 200 gateway=mix back=3
dispatcher
caught_up
publish 40 gateway=mix back=10
publish 20 gateway=sms quiet=1
publish 20 gateway=sms expire_ms=-1000
caught_up
stop_dispatcher
judge
expect 'sent=216 failed=0 ambiguous=0 expired=20 returned=20 requests=216'
# taken up again where it was left: nothing is sent a second time
dispatcher
caught_up
publish 40 gateway=mix
caught_up
stop_dispatcher
judge
expect 'sent=252 failed=0 ambiguous=0'
end_world

name="killed at every point"
world kill append --faults 'fail=*:0.05,lost=*:0.05,drop=*:0.05,err200=wechat:0.05,busy200=wechat:0.03,refuse=sms:0.05'
for point in claimed:3 attempt-written:40 attempt-read:30 sent:25 answered:30 result-written:35 snapshot:4 committed:3; do
    publish 80 gateway=mix back=2
    dispatcher --chaos-point "$point" --snapshot-records 100
    until_true 30 bash -c "! kill -0 $disp 2>/dev/null" || kill -9 "$disp"
    wait "$disp" || true
done 2>>"$work/shell.log"
dispatcher
caught_up 90
stop_dispatcher
judge
expect 'wrong=0'
end_world

name="frozen and replaced"
world zombie append
publish 400 gateway=mix
control 'stall=sms:0.02'
dispatcher
first=$disp
until_true 30 test -s "$work/journal" || die "$name: nothing was sent"
kill -STOP "$first"
publish 200 gateway=mix
dispatcher
caught_up
kill -CONT "$first"
publish 200 gateway=mix
caught_up
kill "$first"; wait "$first" || die "$name: exit code $?"
caught_up
stop_dispatcher
judge
expect 'wrong=0'
end_world

name="gateway down, silent, lying"
world faults append
kill "$gw"; wait "$gw" || true
publish 40 gateway=wechat
dispatcher
until_true 30 grep -q 'event=gateway_trouble gateway=wechat' "$work/dispatcher.one" || die "$name: says nothing"
rm -f "$work/port"
gateway --listen "127.0.0.1:$port"
caught_up
control 'next=stall:wechat:3'
publish 40 gateway=wechat
caught_up
control 'next=half:wechat:3'
publish 40 gateway=wechat
caught_up
control 'next=busy200:wechat:10,down=1s'
publish 40 gateway=wechat
caught_up
control 'err200=wechat:1'
publish 40 gateway=wechat
caught_up
control 'clear,redirect=sms:1'
publish 40 gateway=sms
caught_up
stop_dispatcher
judge
expect 'sent=144 failed=72 ambiguous=0'
grep -q '"status":307' "$work/journal" || die "$name: no redirect was met"
end_world

name="gap"
world gap append
publish 40 gateway=sms
dispatcher
caught_up
cp "$work/list" "$work/before"
publish 40 gateway=sms gap=1
until_true 30 bash -c "grep -q 'event=partition_parked p=0' '$work/dispatcher.one'" || die "$name: not parked"
until_true 10 bash -c "[ \$(wc -l <'$work/journal') -eq 63 ]" || die "$name: the other partitions wait too"
says() { http "$1" | grep -qF "$2"; }
until_true 10 says /healthz 'parked: partition 0: seq 10 to 10 are missing' || die "$name: /healthz does not say what is missing"
until_true 10 says /metrics 'rouse_dispatcher_partitions{state="parked"} 1' || die "$name: no metric"
stop_dispatcher
end_world

name="record clock"
world record record
kill "$gw"; wait "$gw" || true
rm -f "$work/port"
publish 80 gateway=mix at_ms=1700000000000 expire_ms=3600000
dispatcher
until_true 30 grep -q 'event=gateway_trouble' "$work/dispatcher.one" || die "$name: says nothing"
gateway --listen "127.0.0.1:$port" --faults 'fail=*:0.1,err200=wechat:0.1'
caught_up
publish 80 gateway=mix at_ms=1700003600000 expire_ms=3600000
caught_up
{ kill -9 "$disp"; wait "$disp" || true; } 2>>"$work/shell.log"
publish 80 gateway=mix at_ms=1700007200000 expire_ms=3600000
dispatcher
caught_up
stop_dispatcher
judge
expect 'ambiguous=0 expired=0 returned=0'
grep -o '"at":[0-9]*' "$work/outcomes" | sort -u | grep -vE '"at":(0|1700000000000|1700003600000|1700007200000)$' && die "$name: host time in rouse.outcomes"
end_world

name="bad adapters"
echo 'rate: 5' >>"$work/gateways/sms.yaml"
"$bin/rouse-dispatcher" --gateways "$work/gateways" --gateway-base http://127.0.0.1:1 --secrets "$work" >"$work/out" 2>&1 && die "$name: accepted"
grep -q 'unknown key `rate`' "$work/out" || die "$name: $(cat "$work/out")"
"$bin/rouse-dispatcher" --gatways x >"$work/out" 2>&1 && die "$name: unknown option accepted"
[ "$(wc -l <"$work/out")" -eq 1 ] || die "$name: more than one line: $(cat "$work/out")"
echo "$name: refused"
echo ok
