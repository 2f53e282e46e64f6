import { stateRows, type JobOutcome, type JobPhase, type StateRow } from './states.js';

/** The text of docs/slurm-states.md. */
export function statesPage(): string {
  return `${intro}\n## Base states\n\n${table('base')}\n\n## Flags\n\n${flags}\n\n${table('flag')}\n\n${outro}`;
}

/** Stage of the run, by the phase of its job. */
const stageOf: Readonly<Record<JobPhase, string>> = {
  waiting: 'queued',
  held: 'queued (held)',
  starting: 'queued (about to start)',
  running: 'running',
  paused: 'running (paused)',
  ending: 'unchanged until the final state',
  ended: 'collecting',
  unknown: 'unchanged',
};

const outcomeOf: Readonly<Record<JobOutcome, string>> = {
  succeeded: 'succeeded, unless an output is missing',
  failed: 'failed',
  canceled: 'canceled',
  depends: 'failed, unless Slurm requeues the job',
};

/** States that tests/integration/worker/states.test.ts produces on a real Slurm; the others cannot be produced on one host. */
export const seenLive: ReadonlySet<string> = new Set([
  'PENDING',
  'RUNNING',
  'SUSPENDED',
  'COMPLETED',
  'CANCELLED',
  'FAILED',
  'TIMEOUT',
  'OUT_OF_MEMORY',
  'NODE_FAIL',
  'PREEMPTED',
  'DEADLINE',
  'COMPLETING',
  'CONFIGURING',
  'REQUEUE_HOLD',
  'SPECIAL_EXIT',
]);

function table(kind: StateRow['kind']): string {
  const rows = stateRows
    .filter((row) => row.kind === kind)
    .map(({ word, compact, phase, outcome, sentence }) => {
      const stage = phase === null ? 'as the base state' : stageOf[phase];
      const end = outcome === null ? '' : outcomeOf[outcome];
      const live = seenLive.has(word) ? 'live' : 'mapping';
      return `| \`${word}\` | ${compact ?? ''} | ${stage} | ${end} | ${sentence} | ${live} |`;
    });
  return [
    '| state | code | stage of the run | outcome | message in Girder | tested |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}

const intro = `# Slurm's states

\`scripts/generate-docs.mjs\` generates the tables on this page from \`src/slurm/states.ts\`. Do not edit them here.

What happens to a run when its job has a given Slurm state. "Live" states are produced on a real Slurm and followed through the worker to the
message in the Girder job (\`tests/integration/worker/states.test.ts\`); for the others only the mapping is tested.
`;

const flags = `Slurm's commands print a flag instead of the base state, newer releases in addition to it. If both are printed, the flag takes precedence.`;

const outro = `## Notes

- A state that is not in these tables never ends a run: the run keeps its stage, and the state is shown as Slurm prints it.
- A pending job that only a user or admin can release (\`JobHeldUser\`, \`JobHeldAdmin\`, \`launch failed requeued held\`, \`job requeued in held
  state\`) counts as held; the Girder job shows the reason.
- A failing prolog does not cause \`BOOT_FAIL\`: Slurm drains the node and requeues the job as held (\`launch failed requeued held\`). The run
  waits, and the Girder job shows that help is needed. \`BOOT_FAIL\` itself requires nodes that Slurm powers on and off.
- \`RUNNING\` with the reason \`Prolog\` means that the node is still being prepared: the run is queued.
- After \`NODE_FAIL\` and \`PREEMPTED\` Slurm may requeue the job. A job that can be requeued counts as finished if Slurm has not requeued it
  within 20 s after its end.
- \`OUT_OF_MEMORY\` occurs only where Slurm limits memory with cgroups; the test is skipped on machines that do not allow them.
- After \`scancel --signal=KILL\` a job is \`CANCELLED\`; if its batch script was killed in another way, it is \`FAILED\` with the signal.
`;
