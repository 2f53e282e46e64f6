import { stateRows, type JobOutcome, type JobPhase, type StateRow } from './states.js';

/** docs/slurm-states.md */
export function statesPage(): string {
  return `${intro}\n## Base states\n\n${table('base')}\n\n## Flags\n\n${flags}\n\n${table('flag')}\n\n${outro}`;
}

/** Where the run is, in the words of the glossary. */
const stageOf: Readonly<Record<JobPhase, string>> = {
  waiting: 'queued',
  held: 'queued (held)',
  starting: 'queued (about to start)',
  running: 'running',
  paused: 'running (paused)',
  ending: 'as it was, until the last word',
  ended: 'collecting',
  unknown: 'as it was',
};

const outcomeOf: Readonly<Record<JobOutcome, string>> = {
  succeeded: 'succeeded, unless an output is missing',
  failed: 'failed',
  canceled: 'canceled',
  depends: 'failed, unless Slurm puts the job back',
};

/** Brought about on a real Slurm by tests/integration/worker/states.test.ts; the others cannot be had on one machine. */
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
      const stage = phase === null ? 'that of the base state' : stageOf[phase];
      const end = outcome === null ? '' : outcomeOf[outcome];
      const live = seenLive.has(word) ? 'live' : 'by its word';
      return `| \`${word}\` | ${compact ?? ''} | ${stage} | ${end} | ${sentence} | ${live} |`;
    });
  return [
    '| Slurm says | short | stage of the run | outcome | the owner reads | tested |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}

const intro = `# Slurm's states

The tables on this page are made from \`src/slurm/states.ts\` by \`scripts/generate-docs.mjs\`. Change that, not this.

What becomes of a run when Slurm uses one of its words for the run's job. "Live": brought about on a real Slurm and followed through the
worker to what the owner of the slide reads in Girder (\`tests/integration/worker/states.test.ts\`); the others by Slurm's word alone.
`;

const flags = `Slurm's commands show a flag in place of the base state, newer releases beside it. Where both are shown, the flag decides.`;

const outro = `## What the words do not say

- A word that is not in these tables is never taken for an end: the run stays where it is, and the word is shown as it is.
- A waiting job that only a person can let go on (\`JobHeldUser\`, \`JobHeldAdmin\`, \`launch failed requeued held\`, \`job requeued in held
  state\`) counts as held; the owner reads why it waits.
- A prolog that fails makes no \`BOOT_FAIL\`: Slurm drains the node and puts the job back, held (\`launch failed requeued held\`). The run
  waits, and its owner reads that help is needed. \`BOOT_FAIL\` itself needs nodes that Slurm switches on and off.
- \`RUNNING\` with the reason \`Prolog\` is a job whose node is still being prepared: the run is queued.
- After \`NODE_FAIL\` and \`PREEMPTED\` Slurm may put the job back into the queue. A job that may be put back is believed to be over when it
  has not been 20 s after its end.
- \`OUT_OF_MEMORY\` exists where Slurm limits memory by control groups; the test is left out where the machine does not allow them.
- \`--signal=KILL\` of scancel makes a job \`CANCELLED\`; one whose batch script was killed otherwise is \`FAILED\` with its signal.
`;
