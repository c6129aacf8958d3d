#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# deploy/options.md is what the services' own tables say.  `test_options.sh BINDIR --write` renews it.
set -euo pipefail
bin=$1
cd "$(dirname "$0")/../.."
page() {
    echo "# Options"
    echo
    echo "Printed by each service's \`--options-md\`; the same names stand in a \`--config\` YAML file and, as"
    echo "\`ROUSE_<NAME>\`, in the environment. Precedence: command line, environment, file, default."
    for s in ingest engine dispatcher; do
        echo
        "$bin/rouse-$s" --options-md
    done
}
if [ "${2:-}" = --write ]; then
    page >deploy/options.md
    exit
fi
page | diff -u deploy/options.md - || { echo "FAILED: deploy/options.md is not what the services say (--write renews it)"; exit 1; }
echo "ok"
