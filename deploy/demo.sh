#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A year of a retail chain in minutes, on this machine: installs what is missing, builds, starts
# redis-server, a broker, the rouse services and two gateways on loopback in a temporary directory,
# applies rules/, plays a generated year (the records carry the clock), compares what arrived at the
# gateways with what was decided, and tells what happened.  Everything is stopped and removed at the end.
#
#   deploy/demo.sh [--kafka] [--keep] [--members N] [--days N] [--seed N] [--partitions N]
#
# --kafka  real Apache Kafka instead of the sandbox broker (brings its jars with Maven; ROUSE_BOOTSTRAP
#          names a broker that is there already)
# --keep   leave it running at the end and say how to look around
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
kafka='' keep='' members=2000 days=365 seed=1 partitions=16
while [ $# -gt 0 ]; do
    case $1 in
        --kafka) kafka=1 ;;
        --keep) keep=1 ;;
        --members | --days | --seed | --partitions)
            [ $# -ge 2 ] && [[ $2 =~ ^[1-9][0-9]*$ ]] || { echo "demo.sh: $1 needs a number" >&2; exit 2; }
            declare "${1#--}=$2"
            shift ;;
        --help) sed -n '3,14s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) echo "demo.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
    esac
    shift
done

deploy/install.sh build run ${kafka:+kafka}
mkdir -p build
echo "== build (release) in build/release"
cmake -S . -B build/release -G Ninja -DCMAKE_BUILD_TYPE=Release >build/cmake.log 2>&1 || { cat build/cmake.log; exit 1; }
ninja -C build/release | tail -n 1
bin=$root/build/release/bin
. deploy/lib.sh
rouse_dir

echo "== start redis-server and $([ -n "$kafka" ] && echo Apache Kafka || echo 'the sandbox broker')"
year_broker ${kafka:+kafka}
echo "== gateways, rouse init, $days days of $members members (seed $seed), rouse apply rules/"
year_prepare

echo "== play"
began=$(date +%s)
for s in engine dispatcher ingest; do
    year_service $s
    wait_for 60 "$s" healthy $s || { tail -n 20 "$run/log/$s.log"; exit 1; }
done
last=0
until year_finished; do
    year_alive engine dispatcher ingest gateway
    day=$(year_day)
    if [ $((day / 30)) -ne $((last / 30)) ]; then
        echo "   day $day, $(($(date +%s) - began)) s"
    fi
    last=$day
    sleep 0.2
done
echo "   $days days took $(($(date +%s) - began)) s"

echo "== what happened"
status=0
"$bin/rouse" verify --bootstrap "$bootstrap" --journal "$run/journal" --upstream --summary --story auto || status=$?
"$bin/rouse" dead --bootstrap "$bootstrap" --most 3
if [ $status -ne 0 ]; then
    echo "the gateways' journal and the decisions differ"
    exit 1
fi

if [ -n "$keep" ]; then
    echo "== still running (Enter ends it)"
    cat <<END
   one member    $bin/rouse member --bootstrap $bootstrap --redis $redis m000001
   metrics       curl http://127.0.0.1:$(http_port engine)/metrics   (engine; dispatcher $(http_port dispatcher), ingest $(http_port ingest))
   the journal   $run/journal
   logs          $run/log
END
    read -r _ || true
fi
