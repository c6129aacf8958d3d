#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Debian packages that rouse needs, installed if they are missing.
#
#   deploy/install.sh [build] [run] [test] [kafka] [--no-kafka]
#
# build: compilers and libraries; run: redis-server; test: CMocka, clang for the second compiler;
# kafka: Java and Maven for a real broker (test implies it unless --no-kafka).
set -euo pipefail
want=() no_kafka=
for arg in "$@"; do
    case $arg in
        build) want+=(gcc cmake ninja-build pkg-config librdkafka-dev libhiredis-dev libjansson-dev
            libcurl4-openssl-dev libyaml-dev libmicrohttpd-dev libssl-dev libcmocka-dev tzdata) ;;
        run) want+=(redis-server curl) ;;
        test) want+=(redis-server curl clang clang-format python3 python3-jsonschema python3-yaml libicu-dev) ; kafka=1 ;;
        kafka) kafka=1 ;;
        --no-kafka) no_kafka=1 ;;
        *) echo "deploy/install.sh: unknown argument $arg" >&2; exit 2 ;;
    esac
done
if [ -n "${kafka:-}" ] && [ -z "$no_kafka" ]; then
    command -v java >/dev/null || want+=(default-jre-headless)
    command -v mvn >/dev/null || want+=(maven)
fi
missing=()
for p in "${want[@]}"; do
    dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
done
if [ ${#missing[@]} -eq 0 ]; then
    echo "== packages: all there"
    exit 0
fi
echo "== packages: installing ${missing[*]}"
sudo=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "root or sudo is needed to install packages" >&2; exit 1; }
    sudo=sudo
fi
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# A package's own service would take its default port; ours start theirs on free ones.
policy=
if [ ! -e /usr/sbin/policy-rc.d ]; then
    policy=1
    printf '#!/bin/sh\nexit 101\n' | $sudo tee /usr/sbin/policy-rc.d >/dev/null
    $sudo chmod 755 /usr/sbin/policy-rc.d
fi
status=0
{ $sudo apt-get update -qq && $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 || status=$?
[ -n "$policy" ] && $sudo rm -f /usr/sbin/policy-rc.d
if [ $status -ne 0 ]; then
    tail -n 20 "$log" >&2
    echo "apt-get failed" >&2
    exit 1
fi
