import type { FakeImage } from '../../src/sandbox/images.js';

/**
 * An image for tests: a few commands in one shell script, each for one thing that an analysis can do. The label
 * `entry_path` names its directory, as images for the Slurm worker have it.
 */
const entrypoint = `#!/bin/sh
command=$1
shift
case $1 in
  --xml) echo "a word before <executable><title>$command</title></executable> and one after"; exit ;;
  --json) printf '{"title": "%s"}' "$command"; exit ;;
esac
case $command in
  # copies the input to the output, with progress tags and a few words in between
  Copy)
    echo "<filter-start><filter-name>Copy</filter-name><filter-comment>copying</filter-comment></filter-start>"
    echo "copying $(basename "$1") in $(pwd)"
    echo "<filter-progress>0.5</filter-progress>"
    cat "$1" >"$2"
    echo "done: é漢🔬"
    ;;
  # lists the tree of each argument but the last, which is the output
  List)
    for last; do :; done
    for each; do
      [ "$each" = "$last" ] || find "$each" -type f | sort | while read -r path; do
        printf '%s\\t%s\\n' "$(basename "$path")" "$(cat "$path")"
      done
    done >"$last"
    ;;
  # writes its arguments, one a line
  Show)
    out=$1
    shift
    printf '%s\\n' "$@" >"$out"
    echo "setting: \${DEMO_SETTING:-none}"
    ;;
  Fail)
    echo "reading the slide"
    echo "the slide has no tissue" >&2
    exit 3
    ;;
  # input pipe, output pipe, output pipe for the log, progress pipe
  Stream)
    echo "said by the container"
    echo "complained by the container" >&2
    echo "first half" >"$2"
    printf '{"total": 4, "current": 3, "message": "nearly"}\\nbad\\n{"current": 4' >"$4"
    tr a-z A-Z <"$1" >>"$2"
    echo "through a pipe" >"$3"
    [ "$#" -lt 5 ] || sleep "$5"
    ;;
  # leaves something behind and fails
  Leave)
    echo "what was left" >"$1"
    [ -z "$2" ] || [ -d "$2" ] || exit 9
    exit 4
    ;;
  # ends only by SIGKILL, and says when it is asked to end
  Stubborn)
    trap 'echo "asked to end"' TERM
    echo "waiting"
    n=0
    while [ $n -lt 600 ]; do
      n=$((n + 1))
      sleep 0.1
    done
    ;;
  # ends well when it is asked to end
  Graceful)
    trap 'echo "ends"; exit 0' TERM
    echo "waiting"
    while :; do sleep 0.1; done
    ;;
  # says when it ran, in milliseconds
  Clock)
    from=$(date +%s%3N)
    sleep "$1"
    echo "from $from to $(date +%s%3N)"
    ;;
  # leaves its process group with a child that goes on, known by how many seconds it sleeps
  Stray)
    setsid sleep "$1" &
    echo "stray"
    sleep 60
    ;;
  # takes memory until it is stopped
  Eat)
    tail /dev/zero
    ;;
  Killed)
    kill -9 $$
    ;;
  # says when it is there, counts, and ends when the file appears or after a minute
  Wait)
    n=0
    echo "waiting"
    while [ ! -e "$1" ] && [ $n -lt 600 ]; do
      n=$((n + 1))
      echo "tick $n"
      sleep 0.1
    done
    echo "ticks: $n"
    ;;
  # writes its output after so many seconds
  Linger)
    sleep "$1"
    echo late >"$2"
    ;;
  --list_cli)
    echo '{"Copy": {"type": "python"}, "Show": {"type": "python", "desc-type": "json"}}'
    ;;
  # fills the log
  Talk)
    n=0
    while [ $n -lt "$1" ]; do
      n=$((n + 1))
      printf 'line %06d %0180d\\n' $n 0
    done
    ;;
  *)
    echo "unknown command $command" >&2
    exit 2
    ;;
esac
`;

export const testImage: FakeImage = {
  labels: { entry_path: '/opt/test' },
  config: {},
  files: { '/opt/test/docker-entrypoint.sh': { text: entrypoint, executable: true } },
};
