import type { FakeImage } from '../../src/sandbox/images.js';
import type { PlannedRun } from './plan.js';

/** The image of a chaos batch, as Girder knows it. */
export const chaosImageName = 'dsa-slurm/chaos:v1';

/**
 * Prints the requested lines, writes its outputs, and exits with the requested code.
 * `Work <lines> <alike: yes|no> <pause in seconds> <exit code> <input> <result> <empty> [<directory>]`
 */
const entrypoint = `#!/bin/sh
[ "$1" = Work ] || { echo "No CLI named $1" >&2; exit 2; }
shift
lines=$1 alike=$2 pause=$3 code=$4 input=$5 result=$6 empty=$7 directory=$8
n=0
while [ $n -lt $lines ]; do
  n=$((n + 1))
  if [ "$alike" = yes ]; then echo "tick"; else echo "line $n"; fi
  sleep "$pause"
done
cat "$input" >"$result"
echo "$lines lines" >>"$result"
: >"$empty"
if [ -n "$directory" ]; then
  mkdir -p "$directory/below"
  for name in a b below/c; do echo "$name" >"$directory/$name"; done
fi
echo "end"
exit "$code"
`;

export const chaosImage: FakeImage = {
  labels: { entry_path: '/opt/chaos' },
  config: {},
  files: { '/opt/chaos/docker-entrypoint.sh': { text: entrypoint, executable: true } },
};

/** The lines that the analysis itself writes. */
export function expectedLines({ lines, alike }: PlannedRun): string[] {
  const message = Array.from({ length: lines }, (_, index) => (alike ? 'tick' : `line ${index + 1}`));
  return [...message, 'end'];
}

/** The expected files in its result folder, by path. */
export function expectedOutputs(run: PlannedRun): Map<string, string> {
  const files = new Map([
    [`result ${run.number}`, `${inputText(run)}${run.lines} lines\n`],
    [`empty ${run.number}`, ''],
  ]);
  if (run.directory) for (const name of ['a', 'b', 'below/c']) files.set(name, `${name}\n`);
  return files;
}

export function inputText({ number }: PlannedRun): string {
  return `slide of run ${number}\n`;
}

/** The fixed arguments of `Work`. */
export function workArguments({ lines, alike, seconds, exitCode }: PlannedRun): string[] {
  return ['Work', String(lines), alike ? 'yes' : 'no', (seconds / lines).toFixed(3), String(exitCode)];
}
