import { dirname } from 'node:path';
import type { RunCommand } from '../base/command.js';
import { judgeProbe } from '../doctor/probe/judge-probe.js';
import { probeSharedDirectories, type ProbeWaiting } from '../doctor/probe/probe-job.js';
import type { Finding } from '../doctor/check.js';
import type { Asker } from './flow/prompter.js';
import { settingsOfAnswers } from './flow/complete.js';
import type { Detection } from './detect/detect.js';
import { indented, mark } from './flow/output.js';
import type { SiteAnswers } from './init-answers.js';

/** What is done after the nodes were looked at. */
export type AfterProbe = 'go-on' | 'change';

export interface ProbeOptions {
  answers: SiteAnswers;
  detected: Detection;
  run: RunCommand;
  asker: Asker;
}

/** Has a job look at the directories on each partition that jobs may go to; the person sees it wait, and can put it off. */
export async function probeStep(options: ProbeOptions): Promise<AfterProbe> {
  const { answers, detected, asker } = options;
  const partitions = probePartitions(answers, detected);
  if (partitions.length === 0) return 'go-on';
  asker.say(`\n${mark.heading('A look from the nodes')}`);
  asker.say(indented('A job of a few seconds checks that compute nodes see these directories.'));
  if (!(await asker.yesNo('Submit it now?', true))) {
    asker.say(indented(mark.dim('Put off. Later: dsa-slurm doctor --deep')));
    return 'go-on';
  }
  for (;;) {
    const findings = await asker.wait((show, signal) => lookFromNodes({ ...options, signal, show }));
    if (findings === 'put-off') {
      asker.say(indented(mark.dim('Put off. Later: dsa-slurm doctor --deep')));
      return 'go-on';
    }
    for (const finding of findings) asker.say(findingText(finding));
    if (findings.every(({ status }) => status !== 'fail')) return 'go-on';
    const reply = await asker.choose({
      message: 'Analyses would fail like this. What now?',
      choices: [
        { value: 'again', name: 'look again' },
        { value: 'change', name: 'change answers' },
        { value: 'go-on', name: 'go on all the same' },
      ],
      proposal: 'again',
      back: false,
    });
    if (reply.kind === 'text' && reply.text === 'go-on') return 'go-on';
    if (reply.kind === 'text' && reply.text === 'change') return 'change';
  }
}

/** Partitions that jobs may go to; where none is named, Slurm's default. */
export function probePartitions({ slurm, worker }: SiteAnswers, detected: Detection): string[] {
  if (worker.executor === 'local') return [];
  const known = detected.slurm.found ? (detected.slurm.value.partitions ?? []) : [];
  const usual = slurm.partition ?? known.find(({ isDefault }) => isDefault)?.name;
  const names = [usual, slurm.gpuPartition].flatMap((name) => name?.split(',') ?? []);
  return detected.slurm.found ? [...new Set(names)] : [];
}

/** Asks all partitions side by side. Never throws. */
export async function lookFromNodes({
  answers,
  detected,
  run,
  signal,
  show,
}: Omit<ProbeOptions, 'asker'> & { signal: AbortSignal; show: (line: string) => void }): Promise<Finding[]> {
  const { tmp, logs, images, submitScript } = answers.dirs;
  const directories = [...new Set([tmp, logs, images, dirname(submitScript)])];
  const waiting = new Map<string, string>();
  const tell = (): void => show(`  … ${[...waiting.values()].join('; ')}  (s puts it off)`);
  return Promise.all(
    probePartitions(answers, detected).map(async (partition) => {
      waiting.set(partition, `${partition}: submitting`);
      tell();
      const answer = await probeSharedDirectories({
        run,
        settings: settingsOfAnswers(answers),
        partition,
        directories,
        girder: answers.girder.apiUrl,
        signal,
        onWaiting: (state) => {
          waiting.set(partition, waitingText(state));
          tell();
        },
      });
      waiting.delete(partition);
      tell();
      return judgeProbe(answer, images);
    }),
  );
}

function waitingText({ partition, reason, waitedMs }: ProbeWaiting): string {
  const because = reason === '' || reason === 'None' ? 'waits' : `waits (${reason})`;
  return `${partition}: ${because}, ${Math.round(waitedMs / 1_000)} s`;
}

/** A finding as lines of the screen. */
export function findingText({ status, evidence, fix }: Finding): string {
  const sign = { ok: mark.good, warn: mark.careful, fail: mark.bad, skip: mark.dim('-') }[status];
  const [first = '', ...rest] = evidence.map((line) => indented(line));
  return [
    `${sign} ${first.trimStart()}`,
    ...rest,
    ...(fix === undefined ? [] : fix.split('\n').map((line) => `    ${line}`)),
  ].join('\n');
}
