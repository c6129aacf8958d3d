# SPDX-License-Identifier: Apache-2.0
# Shell functions for running rouse on loopback in a temporary directory: the demo, the chaos run and
# the integration tests source this file.  Needs: bin (directory of the programs), root (of the tree).
#
#   rouse_dir                 makes $run with log/ and pid/; everything is stopped and removed at exit
#   start NAME COMMAND…       in the background, output in $run/log/NAME.log
#   stop NAME [SIGNAL]        and wait until it has gone
#   wait_for SECONDS WHAT COMMAND…   ask until it answers; fails with the reason
#   healthy NAME              its /healthz answers 200
#   metric NAME METRIC        its value (sum over labels)
#   start_redis, start_sandbox TOPICS, start_kafka [VERSION]   set $redis, $bootstrap
#   start_gateway OPTION…     the gateways of deploy/gateways, at the port that they had before
#
# The time-lapse year (needs members, days, seed, partitions):
#   year_broker [kafka]       redis-server and a broker with the topics
#   year_prepare              gateways, rouse init, generated events, rouse apply
#   year_service NAME         start engine, dispatcher or ingest
#   year_day                  the virtual day that has been played
#   year_finished             the last day is done

rouse_dir() {
    run=$(mktemp -d "${TMPDIR:-/tmp}/rouse.XXXXXX")
    mkdir "$run/log" "$run/pid"
    trap 'rouse_end' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

rouse_end() {
    local status=$? f
    trap - EXIT
    set +e
    # The services first: they drain into what is stopped after them.
    for f in "$run"/pid/*; do
        case ${f##*/} in redis | broker | gateway) ;; *) [ -e "$f" ] && kill "$(cat "$f")" 2>/dev/null ;; esac
    done
    for f in "$run"/pid/*; do
        case ${f##*/} in redis | broker | gateway) ;; *) [ -e "$f" ] && rouse_gone "$(cat "$f")" ;; esac
    done
    [ -d "$run/kafka" ] && [ -z "${ROUSE_BOOTSTRAP:-}" ] && "$root/deploy/kafka.sh" stop --dir "$run/kafka" >/dev/null 2>&1
    for f in "$run"/pid/*; do
        [ -e "$f" ] && kill "$(cat "$f")" 2>/dev/null
    done
    for f in "$run"/pid/*; do
        [ -e "$f" ] && rouse_gone "$(cat "$f")"
    done
    if [ $status -ne 0 ] && [ -n "${KEEP_LOGS:-}" ]; then
        mkdir -p "$KEEP_LOGS" && cp -r "$run/log" "$KEEP_LOGS/"
    fi
    rm -rf "$run"
    exit $status
}

# Wait until a process has gone, 10 s at most; then it is made to.
rouse_gone() {
    local tries=0
    while kill -0 "$1" 2>/dev/null && [ $tries -lt 200 ]; do
        tries=$((tries + 1))
        sleep 0.05
    done
    kill -9 "$1" 2>/dev/null
    wait "$1" 2>/dev/null
}

start() {
    local name=$1
    shift
    "$@" >>"$run/log/$name.log" 2>&1 &
    echo $! >"$run/pid/$name"
}

alive() {
    [ -e "$run/pid/$1" ] && kill -0 "$(cat "$run/pid/$1")" 2>/dev/null
}

stop() {
    local name=$1 signal=${2:-TERM} pid
    pid=$(cat "$run/pid/$name")
    rm -f "$run/pid/$name"
    kill "-$signal" "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
}

wait_for() {
    local seconds=$1 what=$2 end
    shift 2
    end=$(($(date +%s) + seconds))
    until "$@" >/dev/null 2>&1; do
        if [ "$(date +%s)" -ge "$end" ]; then
            echo "no sign of $what after $seconds s" >&2
            return 1
        fi
        sleep 0.05
    done
}

# A service says its HTTP port in its first log line; after a restart the last one counts.
http_port() {
    sed -nE 's/.* event=started .*http_port=([0-9]+).*/\1/p' "$run/log/$1.log" | tail -n 1
}

healthy() {
    local port
    port=$(http_port "$1")
    [ -n "$port" ] && curl -sf -m 2 "http://127.0.0.1:$port/healthz"
}

metric() {
    curl -sf -m 5 "http://127.0.0.1:$(http_port "$1")/metrics" |
        awk -v m="$2" '$1 == m || index($1, m "{") == 1 {s += $2; n++} END {if (!n) exit 1; printf "%.0f\n", s}'
}

start_redis() {
    redis=unix:$run/redis.sock
    start redis redis-server --port 0 --unixsocket "$run/redis.sock" --dir "$run" --save '' \
        --appendonly yes --appendfsync everysec --maxmemory-policy noeviction --daemonize no
    wait_for 20 redis-server redis-cli -s "$run/redis.sock" ping
}

start_sandbox() {
    rm -f "$run/bootstrap"
    start broker "$bin/rouse-sandbox" broker --topics "$1" --bootstrap-file "$run/bootstrap"
    wait_for 20 'the sandbox broker' test -s "$run/bootstrap"
    bootstrap=$(cat "$run/bootstrap")
}

start_kafka() {
    if [ -n "${ROUSE_BOOTSTRAP:-}" ]; then
        bootstrap=$ROUSE_BOOTSTRAP
        return
    fi
    mkdir -p "$run/kafka"
    PATH=$bin:$PATH "$root/deploy/kafka.sh" start --dir "$run/kafka" ${1:+--version "$1"} >"$run/log/kafka.log" 2>&1 ||
        { tail -n 30 "$run/log/kafka.log" >&2; return 1; }
    bootstrap=$(cat "$run/kafka/bootstrap")
}

start_gateway() {
    local port=0
    if [ ! -d "$run/secrets" ]; then
        mkdir "$run/secrets"
        printf 'whsec_%s\n' "$(head -c 24 /dev/urandom | base64)" >"$run/secrets/gateway.secret"
        chmod 600 "$run/secrets/gateway.secret"
    fi
    if [ -s "$run/gateway.port" ]; then
        port=$(cat "$run/gateway.port")
        rm "$run/gateway.port"
    fi
    start gateway "$bin/rouse-sandbox" gateway --listen "127.0.0.1:$port" --port-file "$run/gateway.port" \
        --journal "$run/journal" --secret-file "$run/secrets/gateway.secret" "$@"
    wait_for 20 'the gateways' test -s "$run/gateway.port"
}

# ---- the time-lapse year ------------------------------------------------------------------------------

year_from=2025-01-01
year_upstream="crm.member trade.order.paid trade.cart web.browse promo.coupon community.post profile
    crm.referral crm.store_event trade.order.created trade.refund trade.delivered store.pickup web.favorite ad.touch store.visit wecom.friend device.scan
    device.filter live.enter promo.claim promo.redeem community.question community.review service.appointment service.complaint erp.stock erp.product_new"

year_broker() {
    local topics=rouse.control:1,rouse.receipts:1,rouse.dead:1 t
    start_redis
    if [ "${1:-}" = kafka ]; then
        start_kafka "${2:-}"
        return
    fi
    for t in rouse.log rouse.decisions rouse.outcomes rouse.tags; do topics=$topics,$t:$partitions; done
    for t in $year_upstream; do topics=$topics,$t:4; done
    start_sandbox "$topics"
}

year_prepare() {
    local end
    end=$(date -u -d "$year_from + $days days" +%Y-%m-%dT00:00:00Z)
    start_gateway --tolerance 0s --faults 'fail=wechat:0.03,err200=wechat:0.02'
    "$bin/rouse" init --bootstrap "$bootstrap" --redis "$redis" --partitions "$partitions" --clock record \
        --end "$end" --topology "$(printf %08x "$seed")" | tail -n 2
    "$bin/rouse-sandbox" generate --bootstrap "$bootstrap" --members "$members" --seed "$seed" \
        --from "$year_from" --days "$days"
    "$bin/rouse" apply --bootstrap "$bootstrap" --gateways "$root/deploy/gateways" "$root/rules" | tail -n 3
}

year_service() {
    case $1 in
        engine) start engine "$bin/rouse-engine" --bootstrap "$bootstrap" --redis "$redis" --session 6s ;;
        dispatcher) start dispatcher "$bin/rouse-dispatcher" --bootstrap "$bootstrap" --session 6s --fetch-wait 10ms \
            --gateways "$root/deploy/gateways" --gateway-base "http://127.0.0.1:$(cat "$run/gateway.port")" --secrets "$run/secrets" ;;
        ingest) start ingest "$bin/rouse-ingest" --bootstrap "$bootstrap" --session 6s ;;
    esac
}

year_day() {
    local s
    s=$(metric ingest rouse_ingest_day_seconds 2>/dev/null) || s=0
    s=$(((s - $(date -u -d "$year_from" +%s)) / 86400))
    echo $((s < 0 ? 0 : s))
}
year_finished() { [ "$(metric ingest rouse_ingest_finished 2>/dev/null || echo 0)" = 1 ]; }

year_alive() {
    local s
    for s in "$@"; do
        alive "$s" && continue
        echo "$s has ended:" >&2
        tail -n 20 "$run/log/$s.log" >&2
        return 1
    done
}
