#!/bin/sh
# Builds the program unless the last build is newer than every source, and says so first: it takes a while. Older npm (9) runs
# this also for `npm pack --ignore-scripts`, while other tests run the program that is there.
set -eu
cd "$(dirname "$0")/.."
built=dist/cli/main.js
if [ -f "$built" ] && [ -z "$(find src package.json package-lock.json rolldown.config.js tsconfig.build.json -newer "$built" | head -n 1)" ]; then
  exit 0
fi
# not to standard output: `npm pack` prints the name of its file there
echo 'Building dsa-slurm: about 20 s …' >&2
exec scripts/build.sh
