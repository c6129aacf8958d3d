#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Bad input to real processes.  Options: one line, exit 2.  Rules: file:line:col and a suggestion, exit 1,
# and what is active stays.  `rouse init` where it must not.  Upstream records that cannot be read: each
# is a dead letter with code, path, reason and its original bytes, and what stands around it is folded
# and sent; on the sandbox broker (record clock) and on real Kafka (append clock).
set -euo pipefail
bin=$(cd "$1" && pwd)
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
unset ROUSE_BOOTSTRAP # a broker of our own: it must be empty
. deploy/lib.sh
rouse_dir
die() {
    local s
    echo "FAILED: $*"
    for s in ingest engine dispatcher; do tail -n 5 "$run/log/$s.log" 2>/dev/null | cut -c1-300 || true; done
    exit 1
}

# ---- options ------------------------------------------------------------------------------------------
refused() { # WORD COMMAND…: exit 2, nothing on stdout, one line on stderr that has WORD
    local word=$1 code=0
    shift
    "$@" >"$run/out" 2>"$run/err" || code=$?
    [ $code = 2 ] || die "exit $code, not 2: ${*#"$bin"/}: $(cat "$run/err")"
    [ ! -s "$run/out" ] || die "speaks on stdout: ${*#"$bin"/}"
    [ "$(wc -l <"$run/err")" = 1 ] || die "not one line: ${*#"$bin"/}: $(cat "$run/err")"
    grep -qF -- "$word" "$run/err" || die "no \`$word\`: ${*#"$bin"/}: $(cat "$run/err")"
    n_refused=$((n_refused + 1))
}
n_refused=0
for s in rouse-ingest rouse-engine rouse-dispatcher; do
    refused 'did you mean `bootstrap`' "$bin/$s" --bootstrp x
    refused session "$bin/$s" --session soon
    refused session "$bin/$s" --session 1ms
    refused 'needs a value' "$bin/$s" --group
    refused unexpected "$bin/$s" hello
    refused log-level "$bin/$s" --log-level loud
    refused 'name=value' "$bin/$s" --kafka nonsense
    refused acks "$bin/$s" --kafka acks=0
    refused 'not.there.yaml' "$bin/$s" --config "$run/not.there.yaml"
    refused http "$bin/$s" --http nowhere
    echo 'sesion: 5s' >"$run/bad.yaml"
    refused 'bad.yaml:1:1' "$bin/$s" --config "$run/bad.yaml"
    echo 'session: [' >"$run/bad.yaml"
    refused 'bad.yaml:' "$bin/$s" --config "$run/bad.yaml"
    ROUSE_SESSION=long refused ROUSE_SESSION "$bin/$s"
done
refused batch "$bin/rouse-engine" --batch 1
refused cache "$bin/rouse-engine" --cache much
refused commit-members "$bin/rouse-engine" --commit-members 100000
refused chaos-point "$bin/rouse-engine" --chaos-point nowhere:1
refused redis "$bin/rouse-engine" --redis ''
refused redis "$bin/rouse-engine" --redis host:port
refused redis-password-file "$bin/rouse-engine" --redis-password-file "$run/not.there"
refused max-bytes "$bin/rouse-ingest" --max-bytes 2GiB
refused chaos-point "$bin/rouse-dispatcher" --chaos-point nowhere
refused not.there "$bin/rouse-dispatcher" --gateways "$run/not.there"
for c in broker gateway generate ping; do
    refused 'unknown option' "$bin/rouse-sandbox" $c --nonsense 1
    refused unexpected "$bin/rouse-sandbox" $c hello
done
refused topics "$bin/rouse-sandbox" broker
refused name:partitions "$bin/rouse-sandbox" broker --topics a:0
refused twice "$bin/rouse-sandbox" broker --topics a:1,a:1
refused brokers "$bin/rouse-sandbox" broker --topics a:1 --brokers 10
refused journal "$bin/rouse-sandbox" gateway
echo whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw >"$run/secret"
refused FAULT=GATEWAY:SHARE "$bin/rouse-sandbox" gateway --journal "$run/x" --secret-file "$run/secret" --faults explode=sms:1
refused not.there "$bin/rouse-sandbox" gateway --journal "$run/x" --secret-file "$run/not.there"
refused members "$bin/rouse-sandbox" generate --members 0
refused YYYY-MM-DD "$bin/rouse-sandbox" generate --from yesterday --dry-run
refused timeout "$bin/rouse-sandbox" ping --timeout never
refused 'no command' "$bin/rouse-sandbox" gatewy
refused 'did you mean `check`' "$bin/rouse" chekc
for c in check test init apply member dead verify; do refused 'unknown option' "$bin/rouse" $c --nonsense 1; done
refused 'no code' "$bin/rouse" explain X999
refused partitions "$bin/rouse" init --partitions 0
refused partitions "$bin/rouse" init --partitions 1025
refused retention "$bin/rouse" init --retention 1d
refused clock "$bin/rouse" init --clock sundial
refused end "$bin/rouse" init --clock record
refused topology "$bin/rouse" init --topology xyz
refused most "$bin/rouse" dead --most 0
refused bite "$bin/rouse" verify --bite 513
refused 'one member' "$bin/rouse" member
refused directory "$bin/rouse" apply
refused directory "$bin/rouse" check
echo "options: $n_refused refusals, each one line and exit 2"

# ---- rules ----------------------------------------------------------------------------------------------
mkdir "$run/rules"
cat >"$run/rules/shop.yaml" <<'YAML'
events:
  purchase:
    topic: trade
    match: {type: PAID}
    id: order_id
    member: member_id
    time: at
    fields: {order_id: string, amount: money, channel: {type: string, one_of: [app, store]}, note: {type: string?, max: 8}}
tags:
  phone: {type: address}
  orders: {count: purchase}
messages:
  thanks: {purpose: service, via: [sms], sms: {template: S1}}
policy: {tz: Asia/Shanghai}
rules:
  thanks:
    trigger: purchase
    if: event.amount >= 1
    do: [{send: thanks}]
YAML
wrong() { # PLACE SUGGESTION SED-PROGRAM: check and apply refuse the rules so changed
    local code=0 c
    mkdir -p "$run/wrong"
    sed "$3" "$run/rules/shop.yaml" >"$run/wrong/shop.yaml"
    for c in check "apply --bootstrap $bootstrap"; do
        code=0
        "$bin/rouse" $c "$run/wrong" >"$run/out" 2>&1 || code=$?
        [ $code = 1 ] || die "rouse $c: exit $code, not 1, for $3: $(cat "$run/out")"
        grep -q "shop.yaml:$1: error\[" "$run/out" || die "rouse $c: not at $1: $(cat "$run/out")"
        grep -qF -- "$2" "$run/out" || die "rouse $c: no \`$2\`: $(cat "$run/out")"
    done
}
active() { "$bin/rouse" apply --bootstrap "$bootstrap" "$run/rules" | sed -n 's/^active: unchanged, activation //p'; }
bad_rules() {
    local n
    "$bin/rouse" apply --bootstrap "$bootstrap" "$run/rules" >"$run/out" || die "apply: $(cat "$run/out")"
    n=$(active)
    [ -n "$n" ] || die "the same rules again are another activation"
    wrong 17:5 'did you mean `trigger`?' 's/trigger:/triger:/'
    wrong 18:15 'did you mean `amount`?' 's/event.amount/event.amuont/'
    wrong 18:9 string 's/event.amount >= 1/event.order_id/'
    wrong 19:17 'did you mean `thanks`?' 's/send: thanks/send: thank/'
    wrong 1:1 'did you mean `events`?' '1s/events/event/'
    [ "$(active)" = "$n" ] || die "rules that were refused changed what is active"
    echo "rules: refused at their place, activation $n stays"
}

# ---- init -------------------------------------------------------------------------------------------------
init() { "$bin/rouse" init --bootstrap "$bootstrap" --redis "$redis" "$@"; }
init_refused() { # WORD OPTION…
    local word=$1 code=0
    shift
    init "$@" >"$run/out" 2>"$run/err" || code=$?
    [ $code = 2 ] && [ "$(wc -l <"$run/err")" = 1 ] || die "init $*: exit $code: $(cat "$run/err")"
    grep -q -- "$word" "$run/err" || die "init $*: no $word: $(cat "$run/err")"
}
init_twice() { # OPTION…: with 4 partitions; again it changes nothing; otherwise it is refused
    local first
    code=0
    "$bin/rouse" apply --bootstrap "$bootstrap" "$run/rules" >"$run/out" 2>&1 || code=$?
    [ $code = 2 ] || die "apply before init: exit $code: $(cat "$run/out")"
    first=$(init --partitions 4 "$@") || die "init"
    init --partitions 4 "$@" >"$run/out" || die "init again: $(cat "$run/out")"
    grep -q 'home slots: 0 made, 4 were there' "$run/out" || die "init again: $(cat "$run/out")"
    grep -qF "$(tail -n 1 <<<"$first") (was there)" "$run/out" || die "init again is another: $(cat "$run/out")"
    init_refused '8 are wanted' --partitions 8 "$@"
    init_refused initialised --partitions 4 "$@" --topology 12345678
    echo "init: again it changes nothing, otherwise it is refused"
}

# ---- upstream records ---------------------------------------------------------------------------------------
next=0 # offset in trade/0
record() { # FILE [header=value…]
    "$bin/inbox" put "$bootstrap" trade 0 '' "$@" || die "publish $*"
    next=$((next + 1))
}
text() { printf '%s' "$1" >"$run/one" && record "$run/one" "${@:2}"; }
bad() { # CODE PATH FILE [header=value…]
    cp "$3" "$run/want/trade.0.$next"
    echo "trade 0 $next $1 $2" >>"$run/want.list"
    record "${@:3}"
}
bad_text() { printf '%s' "$3" >"$run/one" && bad "$1" "$2" "$run/one" "${@:4}"; }
purchase() { text "{$paid,\"member_id\":\"$1\",\"order_id\":\"$2\"}"; }
publish() {
    local far='"at":"2999-01-01T00:00:00Z"' m='"member_id":"m1"' o='"order_id":"x"'
    local paid_rest='"type":"PAID","channel":"app","amount":1'
    rm -rf "$run/want" && mkdir "$run/want"
    : >"$run/want.list"
    paid="$paid_rest,\"at\":\"$(date -u +%FT%TZ)\""
    text "{\"type\":\"PAID\",\"order_id\":\"before\",$m,\"channel\":\"app\",\"amount\":\"9.90\",\"at\":\"$(date -u +%FT%TZ)\"}"
    bad_text json_syntax - 'not json'
    bad_text json_syntax - "{$paid,$m,"
    bad_text json_syntax - "{$paid,$m,$o} and more"
    bad_text wrong_type - '["a list"]'
    bad_text wrong_type order_id "{$paid,$m,\"order_id\":5}"
    bad_text wrong_type amount "{\"type\":\"PAID\",$m,$o,\"channel\":\"app\",\"amount\":true,\"at\":\"$(date -u +%FT%TZ)\"}"
    bad_text missing_member member_id "{$paid,$o}"
    bad_text bad_member member_id "{$paid,$o,\"member_id\":\"$(printf 'm%.0s' {1..200})\"}"
    bad_text missing_field order_id "{$paid,$m}"
    bad_text future_time at "{$paid_rest,$m,$o,$far}"
    bad_text bad_time at "{$paid_rest,$m,$o,\"at\":\"soon\"}"
    bad_text bad_money amount "{\"type\":\"PAID\",$m,$o,\"channel\":\"app\",\"amount\":1.005,\"at\":\"$(date -u +%FT%TZ)\"}"
    bad_text one_of channel "{\"type\":\"PAID\",$m,$o,\"channel\":\"fax\",\"amount\":1,\"at\":\"$(date -u +%FT%TZ)\"}"
    bad_text too_long note "{$paid,$m,$o,\"note\":\"九个字的备注太长了\"}"
    purchase m2 between
    bad_text json_duplicate_key - "{$paid,$m,$o,\"order_id\":\"y\"}"
    bad_text json_depth - "$(printf '[%.0s' {1..1000})$(printf ']%.0s' {1..1000})"
    bad_text json_depth - "{$paid,$m,$o,\"deep\":$(printf '{"a":%.0s' {1..1000})1$(printf '}%.0s' {1..1000})}"
    bad_text json_number - "{$paid,$m,$o,\"n\":99999999999999999999}"
    bad_text utf8 - "$(printf '{%s,%s,"order_id":"\377\376"}' "$paid" "$m")"
    { printf '\0\1\377'; head -c 3000 /dev/urandom; } >"$run/one"
    bad json_syntax - "$run/one"
    : >"$run/one"
    bad empty - "$run/one"
    { printf '{%s,%s,%s,"fill":"' "$paid" "$m" "$o"; head -c 100000 /dev/zero | tr '\0' x; printf '"}'; } >"$run/one"
    bad too_big - "$run/one"
    { printf '{%s,%s,%s,"fill":"' "$paid" "$m" "$o"; head -c 999000 /dev/zero | tr '\0' '\n'; printf '"}'; } >"$run/one"
    bad too_big - "$run/one"
    bad_text cloudevent - "{$paid,$m,$o}" ce_specversion=1.0
    bad_text cloudevent - '{"specversion":"1.0","id":"1","source":"/s","type":"t"}' content-type=application/cloudevents+json
    bad_text json_syntax - 'neither' content-type=application/cloudevents+json
    # CloudEvents, both forms; then plain again: everything after the bad ones is taken
    text "{$paid,$m,\"order_id\":\"binary\"}" ce_specversion=1.0 ce_id=1 ce_source=/shop ce_type=shop.paid
    text "{\"specversion\":\"1.0\",\"id\":\"2\",\"source\":\"/shop\",\"type\":\"shop.paid\",\"data\":{$paid,$m,\"order_id\":\"structured\"}}" \
        'content-type=application/cloudevents+json; charset=utf-8'
    text '{"type":"OPENED","whatever":[1,2,3]}' # nobody declared it: none of our business
    purchase m2 after
}
profiles() {
    local m
    for m in m1 m2; do printf '{"member":"%s","time":"%s","set":{"phone":"138"}}\n' $m "$(date -u -d '-1 hour' +%FT%TZ)"; done |
        "$bin/inbox" put "$bootstrap" profile 0 '' - || die "publish profiles"
}
services() {
    start_gateway --tolerance 1h
    for s in engine dispatcher ingest; do
        year_service $s
    done
    for s in engine dispatcher ingest; do wait_for 40 $s healthy $s || die "$s is not ready"; done
}
letters() { "$bin/rouse" dead --bootstrap "$bootstrap" --json >"$run/dead" && rm -rf "$run/got" && mkdir "$run/got" && "$bin/upstream" letters "$run/got" <"$run/dead" >"$run/got.list"; }
same_letters() {
    letters && [ "$(wc -l <"$run/got.list")" -ge "$(wc -l <"$run/want.list")" ]
}
orders() { "$bin/rouse" member --bootstrap "$bootstrap" --redis "$redis" "$1" | grep -o '"orders":[0-9]*' | head -n 1; }
orders_are() { [ "$(orders "$1")" = "\"orders\":$2" ]; }
judge() {
    local place size code
    wait_for 60 'all dead letters' same_letters || { diff "$run/want.list" <(cut -d' ' -f1-5 "$run/got.list"); die "not all dead letters"; }
    cut -d' ' -f1-5 "$run/got.list" | diff "$run/want.list" - || die "other dead letters than expected"
    while read -r _ _ _ code _ size reason; do
        [ -n "$reason" ] || die "a letter without a reason: $code"
    done <"$run/got.list"
    for place in "$run"/want/*; do
        place=${place##*/}
        size=$(awk -v p="$place" '$1 "." $2 "." $3 == p {print $6}' "$run/got.list")
        if [ "$size" = 0 ]; then
            cmp "$run/want/$place" "$run/got/$place" || die "$place: not the original bytes"
        else # too large for the topic: so many bytes, and only their beginning
            [ "$size" = "$(stat -c %s "$run/want/$place")" ] && [ -s "$run/got/$place" ] || die "$place: says $size bytes"
            head -c "$(stat -c %s "$run/got/$place")" "$run/want/$place" | cmp - "$run/got/$place" || die "$place: not its beginning"
        fi
    done
    wait_for 60 'the good records' orders_are m1 3 || die "m1 has $(orders m1)"
    wait_for 60 'the good records' orders_are m2 2 || die "m2 has $(orders m2)"
}
sent() { [ "$(wc -l <"$run/journal")" -ge 5 ]; }
verify() {
    wait_for 30 'the messages' sent || die "$(wc -l <"$run/journal") messages, not 5"
    year_alive engine dispatcher ingest || die "a service has ended"
    wait_for 30 'a clean verify' "$bin/rouse" verify --bootstrap "$bootstrap" --journal "$run/journal" --upstream || true
    out=$("$bin/rouse" verify --bootstrap "$bootstrap" --journal "$run/journal" --upstream) || die "verify: $out"
    grep -q 'accepted   5 sends, sent 5;' <<<"$out" || die "verify: $out"
    grep -hE '(Sanitizer|runtime error)' "$run"/log/*.log && die "a sanitizer spoke"
    echo "$1: $(wc -l <"$run/want.list") dead letters with code, path, reason and bytes; 5 good records folded and sent"
}

partitions=4
start_redis
topics=rouse.log:4,rouse.decisions:4,rouse.outcomes:4,rouse.tags:4,rouse.control:1,rouse.receipts:1,rouse.dead:1
start_sandbox $topics
"$bin/inbox" put "$bootstrap" rouse.log 2 '' "$run/rules/shop.yaml"
init_refused 'rouse.log is not empty' --partitions 4 --clock record --end 2030-01-01T00:00:00Z
init_refused LogAppendTime --partitions 4
stop broker
echo "init: a log that is not empty, a broker without LogAppendTime: refused"

echo "== sandbox broker, record clock"
start_sandbox $topics,trade:1,profile:1
init_twice --clock record --end "$(date -u -d '+1 day' +%FT00:00:00Z)"
bad_rules
profiles
publish
: >"$run/one"
for t in trade profile; do "$bin/inbox" put "$bootstrap" $t 0 '' "$run/one" rouse-end=1; done
services
judge
verify "record clock"
for s in ingest engine dispatcher gateway redis broker; do stop $s; done

if [ "${ROUSE_NO_KAFKA:-}" = 1 ]; then
    echo "== Apache Kafka, append clock: skipped (ROUSE_NO_KAFKA=1)"
    exit 0
fi
echo "== Apache Kafka, append clock"
rm -rf "$run"/journal "$run"/appendonlydir "$run"/log/*.log "$run/gateway.port"
next=0
start_redis
start_kafka
init_twice
"$bin/upstream" topics "$bootstrap" trade:1 profile:1
bad_rules
services
profiles
publish
judge
verify "append clock"
echo ok
