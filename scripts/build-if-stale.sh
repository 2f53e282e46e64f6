#!/bin/sh
# Builds the program unless the last build is newer than every source, and says so first: it takes a while.
set -eu
cd "$(dirname "$0")/.."
built=dist/cli/main.js
if [ -f "$built" ] && [ -z "$(find src package.json rolldown.config.js tsconfig.build.json -newer "$built" | head -n 1)" ]; then
  exit 0
fi
echo 'Building dsa-slurm: about 20 s …'
exec scripts/build.sh
