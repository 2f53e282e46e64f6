#!/bin/sh
# Builds the program with the tools in node_modules. Not through `npm run`: an npm that calls itself finds the Node.js of
# node_modules on PATH, under which the npm of an older release (7, on Debian 11) does not start.
set -eu
cd "$(dirname "$0")/.."
PATH=$PWD/node_modules/.bin:$PATH
tsc -p tsconfig.build.json
rolldown --config > build/bundle.log
