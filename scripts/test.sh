#!/usr/bin/env bash
# npm test [-- <arguments of vitest>]: builds, then checks the sources beside the tests, which wait for services a third of the time.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/build-if-stale.sh

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# what it says is of interest only if it fails, and then at once
{ npm run check > "$log" 2>&1 || { cat "$log"; echo 'failed: npm run check'; exit 1; }; } &
check=$!

# the last line is the summary of the tests
status=0
vitest run "$@" || status=$?
wait "$check" || status=1
exit "$status"
