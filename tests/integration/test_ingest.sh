#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# rouse-ingest alone, on the sandbox broker: records are put into upstream topics by a test tool, and
# rouse.log and rouse.dead are looked at afterwards.  Every kind of bad input; both forms of CloudEvents;
# outcomes and reports that become receipts; another activation; kill -9 in the middle; a topic that was
# made anew; a broker that is not there yet.
set -euo pipefail
bin=$1
cd "$(dirname "$0")/../.."
dir=$(mktemp -d)
pids=()
stop_all() {
    { for pid in "${pids[@]}"; do kill -9 "$pid"; done; wait; } 2>/dev/null || true
    rm -rf "$dir"
}
trap stop_all EXIT
die() { echo "FAILED: $*"; tail -n 15 "$dir/ingest.log" 2>/dev/null | cut -c1-300 || true; exit 1; }
until_true() { # seconds command…: ask until it says yes
    local end=$((SECONDS + $1)); shift
    until "$@"; do [ $SECONDS -lt $end ] || return 1; sleep 0.05; done
}
P=4
put() { "$bin/inbox" put "$boot" "$@"; }         # TOPIC PARTITION KEY FILE [header=value…]
say() { local t=$1 p=$2; shift 2; printf '%s\n' "$@" | put "$t" "$p" '' -; }
caught_up() { "$bin/inbox" wait "$boot" rouse-ingest "${1:-60}" trade:2 crm:1 rouse.outcomes:$P rouse.receipts:1; }
audit() { "$bin/inbox" audit "$boot" $P; }
dead() { "$bin/inbox" dump "$boot" rouse.dead 1 | sed -nE 's/.*"code":"([a-z0-9_]+)".*/\1/p' | sort | uniq -c | awk '{printf "%s%s=%d", (NR > 1 ? " " : ""), $2, $1}'; }
log_has() { "$bin/inbox" dump "$boot" rouse.log $P >"$dir/dump"; grep -q -- "$1" "$dir/dump"; }
dead_has() { "$bin/inbox" dump "$boot" rouse.dead 1 >"$dir/dump"; grep -q -- "$1" "$dir/dump"; }
field() { sed -nE "s/.* ?$1=([0-9]+).*/\1/p" <<<"$2"; }
expect() { [ "$2" = "$3" ] || die "$1: $2, not $3"; }
start() {
    "$bin/rouse-ingest" --bootstrap "$boot" --session 6s --commit-every 50ms --http "127.0.0.1:$http" "$@" >>"$dir/ingest.log" 2>&1 &
    ingest=$!; pids+=("$ingest")
}
http_get() { curl -s -m 2 "http://127.0.0.1:$http$1"; }
healthy() { [[ $(http_get /healthz) = ok* ]]; }
health_says() { [[ $(http_get /healthz) = *"$1"* ]]; }
parked() { health_says parked; }
http=$((20000 + RANDOM % 20000))

cat >"$dir/shop.yaml" <<'YAML'
events:
  purchase:
    topic: trade
    match: {type: PAID}
    id: order_id
    member: member_id
    fields: {order_id: string, amount: money, channel: {type: string, one_of: [app, store]}, note: {type: string?, max: 8}}
  refund: {topic: trade, match: {type: REFUND}, id: order_id, member: member_id, time: at, fields: {order_id: string, amount: money}}
  invite: {topic: crm, id: id, member: {inviter: a, invitee: b}, fields: {id: string}}
policy: {tz: Asia/Shanghai}
YAML

# The broker is not there yet: ingest waits for it.
boot=127.0.0.1:1
start
until_true 20 eval 'health_says "waiting for Kafka"' || die "does not say what it waits for"
kill -9 "$ingest"
{ wait "$ingest"; } 2>/dev/null || true
"$bin/rouse-sandbox" broker --bootstrap-file "$dir/broker" --topics \
    rouse.control:1,rouse.log:$P,rouse.outcomes:$P,rouse.receipts:1,rouse.dead:1,trade:2,crm:1 >"$dir/broker.log" 2>&1 &
pids+=($!)
until_true 20 test -s "$dir/broker" || die "the broker does not start"
boot=$(cat "$dir/broker")
start
until_true 20 eval 'health_says "rouse init"' || die "does not wait for genesis"
"$bin/outbox" genesis "$boot" $P append
until_true 20 eval 'health_says "rouse apply"' || die "does not wait for rules"
"$bin/rouse" apply --bootstrap "$boot" "$dir/shop.yaml" >"$dir/apply" || { cat "$dir/apply"; die "apply"; }
until_true 30 healthy || die "not healthy after genesis and rules"

# ---- good and bad input -------------------------------------------------------------------------------
ok='"type":"PAID","member_id":"m1","channel":"app","amount":"9.90"'
say trade 0 "{$ok,\"order_id\":\"o1\",\"more\":[{}]}" '{"type":"OPEN"}' \
    '{"type":"REFUND","member_id":7,"order_id":"o1","amount":1,"at":"2026-03-02 10:00:00"}'
say crm 0 '{"id":"i1","a":"m1","b":"m2"}'
printf '{"member_id":"m2","order_id":"o2","amount":1.5,"channel":"store"}' >"$dir/one"
put trade 1 k "$dir/one" ce_specversion=1.0 ce_id=1 ce_source=/shop ce_type=PAID
printf '{"specversion":"1.0","id":"2","source":"/shop","type":"t","data":{%s,"order_id":"o3"}}' "$ok" >"$dir/one"
put trade 1 k "$dir/one" 'content-type=application/cloudevents+json; charset=utf-8'
printf '{"specversion":"1.0","id":"3","source":"/shop","type":"t","data_base64":"%s"}' "$(printf '{%s,"order_id":"o4"}' "$ok" | base64 -w0)" >"$dir/one"
put trade 1 k "$dir/one" content-type=application/cloudevents+json
say trade 1 'not json' '[1]' "{$ok}" "{$ok,\"order_id\":5}" "{$ok,\"order_id\":\"x\",\"order_id\":\"y\"}" \
    '{"type":"PAID","order_id":"x","amount":1,"channel":"app"}' \
    '{"type":"PAID","order_id":"x","member_id":"m","amount":1.005,"channel":"app"}' \
    '{"type":"PAID","order_id":"x","member_id":"m","amount":1,"channel":"fax"}' \
    "{$ok,\"order_id\":\"x\",\"note\":\"九个字的备注太长了\"}" \
    '{"type":"REFUND","member_id":"m","order_id":"x","amount":1,"at":"2999-01-01T00:00:00Z"}' \
    '{"type":"REFUND","member_id":"m","order_id":"x","amount":1,"at":"soon"}' \
    "{$ok,\"order_id\":\"x\",\"n\":99999999999999999999}" "{$ok,\"order_id\":\"\\ud800\"}" \
    "$(printf '[%.0s' $(seq 1000))" "$(printf '{%s,"order_id":"\377"}' "$ok")"
head -c 900000 /dev/zero | tr '\0' x >"$dir/one"
put trade 1 big "$dir/one"
head -c 995000 /dev/zero | tr '\0' y >"$dir/one"
put trade 1 bigger "$dir/one"
: >"$dir/one"
put trade 1 empty "$dir/one"
caught_up || die "does not catch up"
expect "dead letters" "$(dead)" \
    "bad_money=1 bad_time=1 empty=1 future_time=1 json_depth=1 json_duplicate_key=1 json_number=1 json_syntax=2 missing_field=1 missing_member=1 one_of=1 too_big=2 too_long=1 utf8=1 wrong_type=2"
dead_has '"value64":' || die "bytes that are not UTF-8 are not kept"
dead_has '"path":"order_id".*order_id is not a string: 5' || die "no path or reason"
dead_has '"bytes":900000' && die "a letter was cut that would have fitted"
dead_has '"bytes":995000,.*"value":"yyy' || die "a letter that does not fit does not say its length"
expect good "$(audit)" "sources=6 events=7 entries=7 twice=0 back=0 early=0 bad=0 rules=$P receipts=0"
log_has '"k":"invite","i":"i1","m":"m2","r":"invitee"' || die "no second member"
log_has '"k":"purchase","i":"o4","m":"m1".*"amount":990' || die "data_base64 was not read"
log_has '"k":"refund","i":"o1","m":"7",.*"t":1772416800000,' || die "a time without a zone"

# ---- outcomes and reports are receipts ------------------------------------------------------------------
r='"tok":"0","era":0,"at":5,"seq":7,"id":"x","n":1,"member":"m1","rule":"r","message":"w","gateway":"sms"'
say rouse.outcomes 2 "{\"t\":\"claim\",\"tok\":\"0\",\"era\":0,\"at\":5}" "{\"t\":\"attempt\",$r}" \
    "{\"t\":\"result\",$r,\"class\":\"retry\",\"final\":false,\"sent\":false}" \
    "{\"t\":\"result\",$r,\"class\":\"ok\",\"status\":\"sent\",\"final\":true,\"sent\":true}" 'nonsense'
say rouse.receipts 0 '{"id":"aaaaabyaaaaaaaadaaaaaaaaflfi6qcl5yvtdbq","status":"read"}' '{"status":"huh"}'
caught_up || die "does not catch up on outcomes"
expect receipts "$(field receipts "$(audit)")" 1 # the report names a decision of another topology
log_has '^2 .*{"t":"receipt","at":[0-9]*,"s":\["rouse.outcomes",0,2,3\],"era":0,"seq":7,"member":"m1","rule":"r","message":"w","gateway":"sms","status":"sent"}' || die "no receipt in its partition"
[[ $(dead) = *outcome=1* && $(dead) = *receipt=2* ]] || die "bad outcomes and reports: $(dead)"

# ---- another activation: its rules stand before its first event in every partition ------------------------
sed -i 's/note: {type: string?, max: 8}/note: string?/' "$dir/shop.yaml"
"$bin/rouse" apply --bootstrap "$boot" "$dir/shop.yaml" >"$dir/apply" || die "second apply"
until_true 20 eval '[ "$(field rules "$(audit)")" = $((2 * P)) ]' || die "no rules after the second activation: $(audit)"
say trade 0 "{$ok,\"order_id\":\"o5\",\"note\":\"九个字的备注不长了\"}"
caught_up
expect "after apply" "$(audit)" "sources=7 events=8 entries=8 twice=0 back=0 early=0 bad=0 rules=$((2 * P)) receipts=1"

# ---- kill -9 in the middle: nothing lost, nothing out of order ---------------------------------------------
many() { # from to: purchases of many members
    seq "$1" "$2" | sed 's/.*/{"type":"PAID","order_id":"n&","member_id":"x&","amount":1,"channel":"app"}/'
}
lines() { "$bin/inbox" dump "$boot" rouse.log $P | wc -l; }
for round in 1 2 3; do # commits are rare here, so that a restart has something to do again
    kill -9 "$ingest"
    { wait "$ingest"; } 2>/dev/null || true
    start --commit-every 3s
    until_true 60 healthy || die "not healthy after kill $round"
    before=$(lines)
    many $((round * 100000)) $((round * 100000 + 7999)) | put trade 0 '' - &
    many $((round * 100000 + 8000)) $((round * 100000 + 15999)) | put trade 1 '' - &
    until_true 60 eval '[ "$(lines)" -gt $((before + 20)) ]' || die "nothing comes"
done
wait $! || true
kill -9 "$ingest"
{ wait "$ingest"; } 2>/dev/null || true
start
until_true 60 healthy || die "not healthy after the kills"
until_true 60 eval '[ "$(field sources "$(audit)")" = 48007 ]' || die "lost: $(audit)"
caught_up 90 || die "does not catch up after the kills"
after=$(audit)
expect "after kills" "$(field sources "$after") $(field events "$after") $(field back "$after") $(field early "$after") $(field bad "$after")" "48007 48008 0 0 0"
[ "$(field twice "$after")" -gt 0 ] || die "the kills came too late: nothing was done again"
echo "after 4 kills: $after"

# ---- SIGTERM commits: nothing is read twice -----------------------------------------------------------------
many 900000 900999 | put trade 0 '' -
kill -TERM "$ingest"
wait "$ingest" || die "SIGTERM: exit $?"
twice=$(field twice "$(audit)")
start
until_true 60 healthy && caught_up || die "does not go on after SIGTERM"
expect "after SIGTERM" "$(field sources "$(audit)") $(field twice "$(audit)")" "49007 $twice"

# ---- a topic made anew parks until its epoch is raised --------------------------------------------------------
kill -TERM "$ingest"; wait "$ingest" || true
"$bin/inbox" mark "$boot" rouse-ingest crm 0 1 0:deadbeef
"$bin/inbox" mark "$boot" rouse-ingest trade 1 1000000 0:deadbeef
start
until_true 60 parked || die "another record before its place does not park it"
until_true 30 eval '[ "$(grep -c "event=source_parked" "$dir/ingest.log")" = 2 ]' || die "not both are parked"
grep -q 'event=source_parked topic=crm p=0 .*code=replaced' "$dir/ingest.log" || die "not named: replaced"
grep -q 'event=source_parked topic=trade p=1 .*code=shrunk' "$dir/ingest.log" || die "not named: shrunk"
say trade 0 "{$ok,\"order_id\":\"others go on\"}"
until_true 30 eval 'log_has "others go on"' || die "a parked source holds up the others"
printf '{"epoch":1}' >"$dir/one"
put rouse.control 0 source/crm "$dir/one"
put rouse.control 0 source/trade "$dir/one"
until_true 30 healthy || die "a raised epoch does not release it"
caught_up
log_has '"s":\["crm",1,0,0\]' || die "nothing under the new epoch"
kill -TERM "$ingest"
wait "$ingest" || die "SIGTERM: exit $?"
grep -E '(Sanitizer|runtime error)' "$dir/ingest.log" && die "a sanitizer spoke"
echo ok
