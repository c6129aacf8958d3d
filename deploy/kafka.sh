#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Apache Kafka for the demo and the tests: one KRaft broker, or three, on loopback and free ports, all
# files in one directory.
#
#   deploy/kafka.sh start --dir D [--version 4.2.0|3.9.2] [--brokers 1|3]
#   deploy/kafka.sh stop  --dir D              (start again: same data, same ports)
#   deploy/kafka.sh libs  [--version V]        only bring the jars
#
# start returns once the brokers answer: D/bootstrap then holds their addresses, D/node-N.log their logs
# and D/node-N.pid their process ids. If one dies first, the tail of its log is shown and the exit code
# is 1.
#
#   ROUSE_BOOTSTRAP   a broker that is there already: start writes its address down and starts nothing
#   ROUSE_KAFKA_LIBS  where the jars are kept (default ~/.cache/rouse/kafka-VERSION)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=4.2.0 brokers=1 dir=''
wait_s=90

say() { echo "kafka: $*" >&2; }
die() { say "$*"; exit 1; }
usage() { sed -n '3,17s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

# ---- what must be there ---------------------------------------------------------------------------

need_packages() {
    local missing=() sudo=''
    command -v java >/dev/null || missing+=(default-jre-headless)
    [ "$1" = jars ] && ! command -v mvn >/dev/null && missing+=(maven)
    [ ${#missing[@]} = 0 ] && return
    [ "$(id -u)" = 0 ] || sudo=sudo
    say "installing ${missing[*]} (Debian packages)"
    $sudo apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
        die "apt-get install ${missing[*]} failed"
}

# The jars, whole or not at all: another process may be at it too.
need_jars() {
    libs=${ROUSE_KAFKA_LIBS:-$HOME/.cache/rouse/kafka-$version}
    compgen -G "$libs/kafka_2.13-$version.jar" >/dev/null && return
    [ -z "$(ls -A "$libs" 2>/dev/null)" ] || die "$libs holds something else than Kafka $version"
    need_packages jars
    mkdir -p "$(dirname "$libs")"
    local tmp
    tmp=$(mktemp -d "$libs.XXXXXX")
    say "bringing Kafka $version with Maven"
    if ! mvn -B -q -f "$here/kafka/pom.xml" "-Dkafka.version=$version" dependency:copy-dependencies \
        -DincludeScope=runtime "-DoutputDirectory=$tmp" >"$tmp.log" 2>&1; then
        tail -n 20 "$tmp.log" >&2
        rm -rf "$tmp" "$tmp.log"
        die "Maven could not bring Kafka $version"
    fi
    rm -f "$tmp.log"
    rmdir "$libs" 2>/dev/null || true
    mv -T "$tmp" "$libs" 2>/dev/null || rm -rf "$tmp"
    compgen -G "$libs/kafka_2.13-$version.jar" >/dev/null || die "no Kafka $version in $libs"
}

# ---- one node ----------------------------------------------------------------------------------------

taken=' '
free_port() { # into the variable named $1; below the range that outgoing connections use
    local p
    while :; do
        p=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
        [[ $taken == *" $p "* ]] && continue
        (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null && continue
        taken+="$p "
        printf -v "$1" %s "$p"
        return
    done
}

write_config() { # N
    local n=$1 rf=1 isr=1
    [ "$brokers" = 3 ] && rf=3 isr=2
    cat >"$dir/node-$n.properties" <<END
process.roles=broker,controller
node.id=$n
controller.quorum.voters=$voters
listeners=PLAINTEXT://127.0.0.1:${port[n]},CONTROLLER://127.0.0.1:${ctrl[n]}
advertised.listeners=PLAINTEXT://127.0.0.1:${port[n]}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=$dir/data-$n
offsets.topic.replication.factor=$rf
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=$rf
transaction.state.log.min.isr=$isr
default.replication.factor=$rf
min.insync.replicas=$isr
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
log.cleaner.dedupe.buffer.size=16777216
END
    [[ $version == 3.* ]] || cat >>"$dir/node-$n.properties" <<END
share.coordinator.state.topic.replication.factor=$rf
share.coordinator.state.topic.min.isr=$isr
END
}

start_node() { # N
    local n=$1 heap=384m
    [ "$brokers" = 3 ] && heap=256m
    write_config "$n"
    local how=("-Dlog4j2.configurationFile=$here/kafka/log4j2.properties" -cp "$libs/*")
    if ! java -Xmx128m -XX:TieredStopAtLevel=1 "${how[@]}" kafka.tools.StorageTool format \
        --ignore-formatted -t "$cluster" -c "$dir/node-$n.properties" >"$dir/node-$n.log" 2>&1; then
        tail -n 20 "$dir/node-$n.log" >&2
        say "node $n cannot format its directory"
        return 1
    fi
    setsid java "-Xms$heap" "-Xmx$heap" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:+ExitOnOutOfMemoryError \
        "${how[@]}" kafka.Kafka "$dir/node-$n.properties" >>"$dir/node-$n.log" 2>&1 </dev/null &
    echo $! >"$dir/node-$n.pid"
}

alive() { # N: the process is there and is the one that we started
    local pid
    pid=$(cat "$dir/node-$1.pid" 2>/dev/null) || return 1
    tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qxF "$dir/node-$1.properties"
}

# Does ADDRESS answer a Metadata request (version 1, all topics) that lists every broker? The answer begins
# with its length, the correlation id and the number of brokers, 4 bytes each.
answers() {
    local head
    head=$(timeout 2 bash -c '
        exec 3<>"/dev/tcp/${1%:*}/${1#*:}" || exit 1
        printf "\0\0\0\x0e\0\x03\0\x01\0\0\0\x01\xff\xff\xff\xff\xff\xff" >&3
        head -c 12 <&3 | od -An -tu1 | tr -s " \n" " "' - "$1" 2>/dev/null) || return 1
    set -- $head
    [ "${12:-0}" = "$brokers" ]
}

wait_node() { # N
    local n=$1 end=$((SECONDS + wait_s))
    until answers "127.0.0.1:${port[n]}"; do
        if ! alive "$n"; then
            say "node $n has ended; the end of its log:"
            tail -n 20 "$dir/node-$n.log" >&2
            return 1
        fi
        if [ $SECONDS -ge $end ]; then
            say "node $n does not answer after $wait_s s; the end of its log:"
            tail -n 20 "$dir/node-$n.log" >&2
            return 1
        fi
        sleep 0.1
    done
}

# ---- commands ------------------------------------------------------------------------------------------

# All are told before any is waited for. The last node of three has no quorum left to take its leave of,
# so it is given less time.
stop_all() {
    local f n nodes=() end=$((SECONDS + 20))
    for f in "$dir"/node-*.pid; do
        [ -e "$f" ] || continue
        n=${f##*/node-}
        nodes+=("${n%.pid}")
    done
    [ ${#nodes[@]} -gt 1 ] && end=$((SECONDS + 5))
    for n in "${nodes[@]}"; do
        alive "$n" && kill "$(cat "$dir/node-$n.pid")" 2>/dev/null || true
    done
    for n in "${nodes[@]}"; do
        while alive "$n" && [ $SECONDS -lt $end ]; do sleep 0.1; done
        alive "$n" && kill -9 "$(cat "$dir/node-$n.pid")" 2>/dev/null || true
        rm -f "$dir/node-$n.pid"
    done
    rm -f "$dir/bootstrap"
}

# The cluster's shape is kept in D/cluster, so that a stopped cluster starts again on its data and ports.
plan() {
    local n
    declare -ga port ctrl
    if [ -e "$dir/cluster" ]; then
        # shellcheck disable=SC1091
        . "$dir/cluster"
        [ "$was" = "$version $brokers" ] || die "$dir holds Kafka $was broker(s), not $version $brokers"
        return
    fi
    cluster=r$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | cut -c 2-22)
    for ((n = 1; n <= brokers; n++)); do
        free_port "port[$n]"
        free_port "ctrl[$n]"
    done
    { echo "was='$version $brokers' cluster=$cluster"
      for ((n = 1; n <= brokers; n++)); do echo "port[$n]=${port[n]} ctrl[$n]=${ctrl[n]}"; done
    } >"$dir/cluster"
}

start_all() {
    local n list=''
    voters=''
    plan
    for ((n = 1; n <= brokers; n++)); do
        voters+="${voters:+,}$n@127.0.0.1:${ctrl[n]}"
        list+="${list:+,}127.0.0.1:${port[n]}"
    done
    for ((n = 1; n <= brokers; n++)); do
        start_node "$n" || { stop_all; return 1; }
    done
    for ((n = 1; n <= brokers; n++)); do
        wait_node "$n" || { stop_all; return 1; }
    done
    echo "$list" >"$dir/bootstrap.tmp"
    mv "$dir/bootstrap.tmp" "$dir/bootstrap"
    say "Kafka $version, $brokers broker(s), at $list"
}

command=${1:-}
[ $# -gt 0 ] && shift
while [ $# -gt 0 ]; do
    [ "$1" = --help ] && { usage; exit 0; }
    [ $# -ge 2 ] || { say "$1 needs a value"; exit 2; }
    case $1 in
    --version) version=$2 ;;
    --brokers) brokers=$2 ;;
    --dir) dir=$2 ;;
    *) say "unknown option $1"; exit 2 ;;
    esac
    shift 2
done
case $version in 4.2.0 | 3.9.2) ;; *) say "--version must be 4.2.0 or 3.9.2, not $version"; exit 2 ;; esac
case $brokers in 1 | 3) ;; *) say "--brokers must be 1 or 3, not $brokers"; exit 2 ;; esac
if [ "$command" = start ] || [ "$command" = stop ]; then
    [ -n "$dir" ] || { say "--dir must be given"; exit 2; }
    mkdir -p "$dir"
    dir=$(cd "$dir" && pwd)
fi

case $command in
libs)
    need_jars
    echo "$libs"
    ;;
start)
    if [ -n "${ROUSE_BOOTSTRAP:-}" ]; then
        say "using the broker at $ROUSE_BOOTSTRAP"
        echo "$ROUSE_BOOTSTRAP" >"$dir/bootstrap"
        exit 0
    fi
    compgen -G "$dir/node-*.pid" >/dev/null && die "there are node-*.pid files in $dir: stop first"
    need_packages run
    need_jars
    start_all || exit 1
    ;;
stop) stop_all ;;
--help | help) usage ;;
*)
    usage >&2
    exit 2
    ;;
esac
