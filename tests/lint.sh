#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The rules of the house that a grep can check.  Prints every finding; exit 1 if there is one.
set -u
cd "$(dirname "$0")/.." || exit 2
bad=0
finding() {
    printf '%s\n' "$*"
    bad=1
}
# grep PATTERN FILES… -> each hit is a finding under the given title
forbid() { # title pattern files…
    local title=$1 pattern=$2 hits
    shift 2
    [ $# -gt 0 ] || return 0
    hits=$(grep -nE -- "$pattern" "$@" /dev/null) || return 0
    finding "$title:"
    printf '%s\n' "$hits"
}

if git rev-parse --git-dir >/dev/null 2>&1; then
    mapfile -t all < <(git ls-files --cached --others --exclude-standard | while read -r f; do [ -f "$f" ] && echo "$f"; done)
else
    mapfile -t all < <(find . -type f -not -path './build*' -not -path './.git/*' | sed 's|^\./||')
fi
c=() libs=() product=() text=()
for f in "${all[@]}"; do
    case $f in
        tests/fuzz/corpus/*) continue ;;
    esac
    text+=("$f")
    case $f in *.c | *.h) c+=("$f") ;; esac
    case $f in common/*.[ch]) libs+=("$f") ;; esac
    case $f in common/*.[ch] | services/*.[ch]) product+=("$f") ;; esac
done

# Top level: exactly these.
for f in "${all[@]}"; do
    case $f in
        CMakeLists.txt | README.md | LICENSE | services/* | common/* | rules/* | deploy/* | tests/* | .*) ;;
        *) finding "not in the house: $f" ;;
    esac
done

for f in "${c[@]}"; do
    head -n 3 "$f" | grep -q 'SPDX-License-Identifier: Apache-2.0' || finding "$f: no SPDX line"
    lines=$(wc -l <"$f")
    [ "$lines" -le 800 ] || finding "$f: $lines lines, at most 800"
done

# Doors: each foreign library is included from one folder only.
door() { # header-pattern allowed-folder…
    local pattern=$1 f ok d
    shift
    while IFS= read -r f; do
        ok=
        for d in "$@"; do case $f in "$d"/*) ok=1 ;; esac; done
        [ -n "$ok" ] || finding "$f: includes <$pattern>, which only $* may"
    done < <(grep -lE "^ *# *include *<$pattern" "${product[@]}" /dev/null)
}
door 'jansson' common/model
door 'librdkafka/' common/kafka services/sandbox
door 'hiredis/' common/redis
door 'curl/' common/webhook
door 'microhttpd' common/http services/sandbox
door 'yaml\.h>' common/yaml
door 'openssl/' common/base common/webhook common/redis

# A private header stays in its folder; no hand-written extern in a .c file; no relative includes.
for f in "${product[@]}"; do
    while IFS= read -r h; do
        [ -f "$(dirname "$f")/$h" ] || finding "$f: includes $h, which is private to another folder"
    done < <(sed -nE 's/^ *# *include *"([^"]*_priv\.h)".*/\1/p' "$f")
done
forbid 'include by path' '^ *# *include *"\.\./' "${product[@]}"
forbid 'extern in a .c file' '^extern ' $(printf '%s\n' "${product[@]}" | grep '\.c$')

# Determinism and manners.
forbid 'a clock, the environment, a locale or randomness below the main loops' \
    '\b(clock_gettime|gettimeofday|getenv|setlocale|localtime|localtime_r|strftime|mktime|srand|rand|random|getrandom|arc4random)\(|[^_a-z]time\(NULL\)' \
    $(printf '%s\n' "${libs[@]}" | grep -v '^common/service/')
forbid 'libraries neither log nor exit' '\b(exit|log_(debug|info|warn|error|err))\(' \
    $(printf '%s\n' "${libs[@]}" | grep -vE '^common/(service|log)/')
forbid 'banned functions' '\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|alloca|system|popen|tmpnam)\(' "${product[@]}"
forbid 'a mutex or a thread' '\bpthread_(mutex|create|rwlock)' "${product[@]}"
forbid 'unfinished work' '\b(TODO|FIXME|XXX|HACK)\b' "${product[@]}"
forbid "a machine's paths" '(/wo''rk/|/ro''ot/|/fa''rm/)' $(printf '%s\n' "${text[@]}" | grep -vE '^(LICENSE|tests/lint.sh)$')
forbid 'sleeping for readiness' '^[^#]*\bsleep [1-9]' $(printf '%s\n' "${text[@]}" | grep -E '^tests/.*\.sh$')

if command -v clang-format >/dev/null 2>&1; then
    for f in "${c[@]}"; do
        clang-format --dry-run -Werror "$f" >/dev/null 2>&1 || finding "$f: not formatted (clang-format -i $f)"
    done
else
    echo 'clang-format is not installed: formatting skipped'
fi
[ $bad -eq 0 ] && echo "lint: ${#c[@]} C files, no findings"
exit $bad
