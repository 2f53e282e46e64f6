import { dirname } from 'node:path';
import type { RunCommand } from '../base/command.js';
import { judgeProbe } from '../doctor/probe/judge-probe.js';
import { probeSharedDirectories, type ProbeAnswer, type ProbeWaiting } from '../doctor/probe/probe-job.js';
import type { Finding } from '../doctor/check.js';
import type { Prompter } from './flow/prompter.js';
import { settingsOfAnswers } from './flow/complete.js';
import type { Detection } from './detect/detect.js';
import { indented, style } from './flow/output.js';
import type { InitAnswers } from './init-answers.js';

/** What the operator wants to do after the check, and what the nodes answered. */
interface ProbeDecision {
  next: 'continue' | 'change';
  answers: readonly ProbeAnswer[];
}

interface ProbeOptions {
  answers: InitAnswers;
  detected: Detection;
  run: RunCommand;
  prompter: Prompter;
}

/** Checks the directories with a job on each partition in use. The operator can postpone it while it waits. */
export async function probeStep(options: ProbeOptions): Promise<ProbeDecision> {
  const { answers, detected, prompter } = options;
  const postponed: ProbeDecision = { next: 'continue', answers: [] };
  const partitions = probePartitions(answers, detected);
  if (partitions.length === 0) return postponed;
  prompter.print(`\n${style.heading('Check from the compute nodes')}`);
  prompter.print(indented('A short job checks that compute nodes can use these directories.'));
  const isWanted = await prompter.confirm(
    'Submit it now?',
    true,
    indented(
      `The job only writes and reads a small file in each directory. It asks for a minute on ${partitions.join(' and ')}; s postpones it while it waits.`,
    ),
  );
  if (isWanted === 'back') return { next: 'change', answers: [] };
  if (!isWanted) {
    prompter.print(indented(style.dim('Postponed. To check later: dsa-slurm doctor --deep')));
    return postponed;
  }
  for (;;) {
    const found = await prompter.wait((show, signal) => probeFromNodes({ ...options, signal, show }));
    if (found === 'postponed') {
      prompter.print(indented(style.dim('Postponed. To check later: dsa-slurm doctor --deep')));
      return postponed;
    }
    const findings = judgeProbes(found, answers);
    for (const finding of findings) prompter.print(findingText(finding));
    if (findings.every(({ status }) => status !== 'fail')) return { next: 'continue', answers: found };
    const reply = await prompter.choose({
      message: 'Analyses would fail with this configuration. What next?',
      choices: [
        { value: 'again', name: 'check again' },
        { value: 'change', name: 'change answers' },
        { value: 'continue', name: 'continue anyway' },
      ],
      proposal: 'again',
      back: false,
    });
    if (reply.kind === 'text' && reply.text === 'continue') return { next: 'continue', answers: found };
    if (reply.kind === 'text' && reply.text === 'change') return { next: 'change', answers: [] };
  }
}

/** Partitions of jobs; Slurm's default if none is configured. */
function probePartitions({ slurm, worker }: InitAnswers, detected: Detection): string[] {
  if (worker.executor === 'local') return [];
  const known = detected.slurm.found ? (detected.slurm.value.partitions ?? []) : [];
  const usual = slurm.partition ?? known.find(({ isDefault }) => isDefault)?.name;
  const names = [usual, slurm.gpuPartition].flatMap((name) => name?.split(',') ?? []);
  return detected.slurm.found ? [...new Set(names)] : [];
}

/** Checks all partitions concurrently. Never throws. */
export async function probeFromNodes({
  answers,
  detected,
  run,
  signal,
  show,
}: Omit<ProbeOptions, 'prompter'> & { signal: AbortSignal; show: (line: string) => void }): Promise<
  ProbeAnswer[]
> {
  const { tmp, logs, images, submitScript } = answers.dirs;
  const directories = [...new Set([tmp, logs, images, dirname(submitScript)])];
  const waiting = new Map<string, string>();
  const update = (): void => show(`  … ${[...waiting.values()].join('; ')}  (s to postpone)`);
  return Promise.all(
    probePartitions(answers, detected).map(async (partition) => {
      waiting.set(partition, `${partition}: submitting`);
      update();
      const answer = await probeSharedDirectories({
        run,
        settings: settingsOfAnswers(answers),
        partition,
        directories,
        girder: answers.girder.apiUrl,
        signal,
        onWaiting: (state) => {
          waiting.set(partition, waitingText(state));
          update();
        },
      });
      waiting.delete(partition);
      update();
      return answer;
    }),
  );
}

/** Judges what the nodes answered. */
export function judgeProbes(probed: readonly ProbeAnswer[], { dirs }: InitAnswers): Finding[] {
  return probed.map((answer) => judgeProbe(answer, dirs.images));
}

function waitingText({ partition, reason, waitedMs }: ProbeWaiting): string {
  const state = reason === '' || reason === 'None' ? 'waiting' : `waiting (${reason})`;
  return `${partition}: ${state}, ${Math.round(waitedMs / 1_000)} s`;
}

/** Formats a finding of the doctor. */
export function findingText({ status, evidence, fix }: Finding): string {
  const symbol = { ok: style.good, warn: style.careful, fail: style.bad, skip: style.dim('-') }[status];
  const [first = '', ...rest] = evidence.map((line) => indented(line));
  return [
    `${symbol} ${first.trimStart()}`,
    ...rest,
    ...(fix === undefined ? [] : fix.split('\n').map((line) => `    ${line}`)),
  ].join('\n');
}
