import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Outcome } from '../worker/run-state/run.js';
import { outputNames, slideOf, type DemoCase } from './batch.js';
import { analyze, readTiff } from './demo/tissue-fraction.js';
import { jobStatus, statusWord } from './fake-girder/rules.js';
import type { GirderJob, FakeGirder } from './fake-girder/index.js';

/** The result of one case and the problems found. */
export interface CaseVerdict {
  case: DemoCase;
  /** The outcome that the worker reports. */
  outcome: Outcome | null;
  slurmJobId: string | null;
  /** The last job state seen; empty if none. */
  slurmState: string;
  /** Every status that the Girder job went through. */
  girderStatuses: number[];
  problems: string[];
}

const finalStatus: Readonly<Record<Outcome, number>> = {
  succeeded: jobStatus.success,
  failed: jobStatus.error,
  canceled: jobStatus.canceled,
};

/**
 * Verifies a case in Girder: statuses, log, outputs, and the numbers in them.
 * @param hidesHostPaths a container sees its inputs under their Girder names, not at their host paths
 */
export async function verifyCase(
  girder: FakeGirder,
  demo: DemoCase,
  seen: { outcome: Outcome | null; slurmJobId: string | null; slurmState: string },
  hidesHostPaths: boolean,
): Promise<CaseVerdict> {
  const job = girder.job(demo.girderJobId);
  const statuses = job?.timestamps.map((entry) => entry.status) ?? [];
  const problems = [
    ...unexpectedStatuses(demo.expected, statuses, demo.canceledHere),
    ...(seen.outcome === demo.expected ? [] : [`the worker says ${seen.outcome ?? 'nothing'}`]),
    ...(seen.slurmJobId === null ? ['it never had a Slurm job'] : []),
    ...(job === undefined ? [] : logProblems(demo, job)),
    ...(await outputProblems(girder, demo, hidesHostPaths)),
  ];
  return { case: demo, ...seen, girderStatuses: statuses, problems };
}

/** @returns what is wrong with the order of statuses that Girder saw */
export function unexpectedStatuses(
  expected: Outcome,
  statuses: readonly number[],
  canceledHere = false,
): string[] {
  const last = statuses.at(-1);
  if (last !== finalStatus[expected])
    return [`Girder's status is ${last === undefined ? 'still inactive' : statusWord(last)}`];
  if (!statuses.includes(jobStatus.running)) return ['Girder never saw it running'];
  if (expected === 'canceled' && !canceledHere && statuses.at(-2) !== jobStatus.canceling) {
    return ['Girder did not see it canceling first'];
  }
  return [];
}

function logProblems({ expected }: DemoCase, job: GirderJob): string[] {
  const log = job.log.join('');
  const problems: string[] = [];
  if (log.includes('<filter-')) problems.push('progress tags were left in the log');
  if (expected === 'succeeded') {
    if (!log.includes('Tissue fraction 0.')) problems.push('the end of the log is missing');
    if (job.progress?.current !== 1) problems.push('the last progress did not arrive');
  }
  if (expected === 'failed' && !log.includes('a part of it is missing')) {
    problems.push('the log does not say why it failed');
  }
  return problems;
}

async function outputProblems(
  girder: FakeGirder,
  demo: DemoCase,
  hidesHostPaths: boolean,
): Promise<string[]> {
  const files = girder.items(demo.resultFolderId).flatMap((item) => girder.files(item.id));
  if (demo.expected !== 'succeeded') {
    return files.length === 0 ? [] : ['there are outputs, but none were expected'];
  }
  const contents = await Promise.all(
    outputNames(demo).map(async (name) => {
      const file = files.find((entry) => entry.name === name);
      return file === undefined ? undefined : readFile(file.path);
    }),
  );
  const [result, summary, mask] = contents;
  if (result === undefined || summary === undefined || mask === undefined) {
    return ['outputs are missing'];
  }
  const slide = slideOf(demo);
  const { measurement, mask: expectedMask } = analyze(readTiff(slide.tiff));
  const image = demo.direct && !hidesHostPaths ? basename(demo.assetPath) : demo.slideName;
  const expected = { image, ...measurement };
  const problems: string[] = [];
  if (result.toString('utf8') !== `${JSON.stringify(expected, null, 2)}\n`) {
    problems.push('the result is not what the same computation gives here');
  }
  if (Math.abs(measurement.tissueFraction - slide.tissueFraction) > 0.02) {
    problems.push('the tissue fraction is not what was drawn');
  }
  if (!summary.toString('utf8').includes(`,${measurement.tissueFraction},${measurement.nuclei}\n`)) {
    problems.push('the summary is wrong');
  }
  if (!mask.subarray(-expectedMask.length).equals(expectedMask)) problems.push('the mask is wrong');
  return problems;
}
