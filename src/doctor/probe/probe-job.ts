import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execArguments } from '../../apptainer/exec-args.js';
import { isTruncated, readSifLength } from '../../apptainer/sif-header.js';
import { systemClock, type Clock } from '../../base/clock.js';
import type { RunCommand } from '../../base/command.js';
import { coerceError } from '../../base/errors.js';
import { packageFile } from '../../base/package-file.js';
import type { Settings } from '../../config/index.js';
import { cancelJobs } from '../../slurm/commands/scancel.js';
import { escapeFileName, submit } from '../../slurm/commands/sbatch.js';
import { queryJobs } from '../../slurm/commands/squeue.js';
import { phaseOf } from '../../slurm/states.js';
import { usualResources } from '../../worker/job-request/resources.js';
import { placeNonces, type PlacedNonces, type ProbedDirectory } from './probe-files.js';
import { readProbeReport, type ProbeReport } from './probe-report.js';

export type { ProbedDirectory } from './probe-files.js';

export interface ProbeRequest {
  run: RunCommand;
  settings: Settings;
  partition: string;
  /** Absolute paths; the job's report is written into the first writable one. */
  directories: readonly string[];
  /** Girder's API address in tasks, also tested from the node; without secrets. Default: not tested. */
  girder?: string | null;
  /** Cancels the job when it aborts. */
  signal: AbortSignal;
  /** Called about every two seconds while the job is pending. `reason` is Slurm's. */
  onWaiting: (waiting: ProbeWaiting) => void;
  clock?: Clock;
}

export interface ProbeWaiting {
  jobId: string;
  partition: string;
  reason: string;
  /** When Slurm expects to start it, in milliseconds since the epoch. */
  expectedStart: number | null;
  /** Milliseconds so far. */
  waitedMs: number;
}

export type ProbeAnswer =
  | {
      kind: 'answered';
      partition: string;
      jobId: string;
      host: string;
      /** Numeric user id on the compute node and on this host. */
      uid: number | null;
      ownUid: number | null;
      /** Output of the container runtime's `--version` there. */
      apptainer: string;
      /** Whether user namespaces are available there. */
      namespaces: boolean;
      /** The node's request to Girder and its result: an HTTP status, `open`, or an error; null if there was none. */
      girder: { url: string; result: string } | null;
      /** Result of starting a container as jobs do: `started` or an error; null if there was no image. */
      container: { image: string; message: string; unpacked: boolean } | null;
      directories: readonly ProbedDirectory[];
      /** Milliseconds from sbatch to the end of the job. */
      ms: number;
    }
  /** sbatch did not accept it, or the nonces could not be written. */
  | { kind: 'refused'; partition: string; message: string }
  /** The job ended, but its report did not appear here. */
  | { kind: 'silent'; partition: string; jobId: string; message: string }
  | { kind: 'canceled'; partition: string; jobId: string | null; message: string };

const pollMs = 500;
const reportEveryMs = 2_000;
/** A network file system may show a new file late (NFS keeps attributes for up to a minute, by default a few seconds). */
const appearMs = 10_000;
const answersMs = 15_000;

/** The configured directories that compute nodes must see. */
export function settingsDirectories({ dirs }: Pick<Settings, 'dirs'>): string[] {
  return [...new Set([dirs.tmp, dirs.logs, dirs.images].filter((path) => path !== null))];
}

/**
 * Submits a job that tests directories from a compute node of a partition: it reads nonces written here and writes answers
 * that are read here. Waits as long as the job is pending, always cleans up, and never throws.
 */
export async function probeSharedDirectories(request: ProbeRequest): Promise<ProbeAnswer> {
  const { partition, directories } = request;
  const nonce = randomBytes(8).toString('hex');
  let placed: PlacedNonces | null = null;
  try {
    placed = await placeNonces(directories, nonce);
    return await probe(request, placed);
  } catch (thrown) {
    return { kind: 'refused', partition, message: coerceError(thrown).message };
  } finally {
    await placed?.remove();
  }
}

async function probe(request: ProbeRequest, placed: PlacedNonces): Promise<ProbeAnswer> {
  const { run, settings, partition, directories, signal, clock = systemClock } = request;
  const started = clock.monotonic();
  const name = `dsa-slurm-probe-${placed.nonce}`;
  const log = escapeFileName(placed.logFile);
  const girderUrl = girderTarget(request.girder ?? null);
  const image = await smallestImage(settings.dirs.images);
  const container = image === null ? [] : containerArguments(image, settings);
  const answer = await submit(
    run,
    [
      '--parsable',
      `--job-name=${name}`,
      `--output=${log}`,
      `--error=${log}`,
      ...Object.entries(probeResources(settings, partition)).map(([option, value]) => `--${option}=${value}`),
      packageFile('templates/probe.slurm'),
      placed.nonce,
      settings.apptainer.command,
      girderUrl,
      String(container.length),
      ...container,
      ...directories,
    ],
    { timeoutMs: 30_000, cwd: '/' },
  );
  switch (answer.kind) {
    case 'refused':
      return { kind: 'refused', partition, message: answer.message };
    case 'unclear':
      // the job may exist nevertheless: cancel it by its unique name
      await run('scancel', [`--name=${name}`], { timeoutMs: 10_000 });
      return { kind: 'refused', partition, message: answer.why };
    case 'submitted':
      break;
  }
  const { jobId } = answer;
  const end = await untilEnded(request, { jobId, name, started });
  if (end !== null) {
    await cancelJobs(run, [jobId], { timeoutMs: 10_000 });
    return { kind: 'canceled', partition, jobId, message: end };
  }
  const deadline = clock.monotonic() + appearMs;
  let report = await readProbeReport(placed);
  while (report === null && clock.monotonic() < deadline && !signal.aborted) {
    await clock.sleep(pollMs, signal);
    report = await readProbeReport(placed);
  }
  if (report === null)
    return { kind: 'silent', partition, jobId, message: await describeEnd(run, jobId, placed) };
  return {
    kind: 'answered',
    partition,
    jobId,
    ...(await withAnswers(report, placed, clock, signal)),
    girder: report.girder === null ? null : { url: girderUrl, result: report.girder },
    container: report.container === null ? null : { image: image ?? '', ...report.container },
    ownUid: process.getuid?.() ?? null,
    ms: Math.round(clock.monotonic() - started),
  };
}

/** The image for the probe's container; the smallest, because it may be unpacked first. */
async function smallestImage(directory: string | null): Promise<string | null> {
  if (directory === null) return null;
  const names = await readdir(directory).catch(() => []);
  const found = await Promise.all(
    names
      .filter((name) => /^[^.].*\.sif$/.test(name))
      .map(async (name) => {
        const path = join(directory, name);
        const length = await readSifLength(path).catch(() => null);
        return length === null || isTruncated(length) ? [] : [{ path, size: length.size }];
      }),
  );
  return found.flat().toSorted((a, b) => a.size - b.size)[0]?.path ?? null;
}

function containerArguments(sif: string, { apptainer }: Settings): string[] {
  return execArguments({
    sif,
    workingDirectory: '/',
    binds: [],
    gpu: false,
    isolation: { off: new Set(), home: null, replacesEnvironment: false, space: null },
    options: apptainer.options,
  });
}

/** The address for templates/probe.slurm: with port, without secrets; empty to test nothing. */
export function girderTarget(apiUrl: string | null): string {
  if (apiUrl === null || !URL.canParse(apiUrl)) return '';
  const { protocol, hostname, port, pathname } = new URL(apiUrl);
  const standard = protocol === 'https:' ? '443' : '80';
  const path = pathname.replace(/\/+$/, '');
  return `${protocol}//${hostname}:${port === '' ? standard : port}${path}/system/version`;
}

/** Small and short, so that it starts soon; other options are as for normal jobs. */
function probeResources({ slurm }: Settings, partition: string): Record<string, string> {
  const gpu = partition === slurm.gpuPartition && partition !== slurm.partition;
  const usual = usualResources(slurm, gpu);
  const has = (option: string): boolean => usual.some((each) => each.option === option);
  return {
    ...Object.fromEntries(usual.map(({ option, value }) => [option, value ?? ''])),
    partition,
    time: '2',
    ...(has('mem') ? { mem: '100M' } : {}),
    ...(has('cpus-per-task') ? { 'cpus-per-task': '1' } : {}),
  };
}

/** Waits for the end of the job; null once it has ended, else why the wait was given up. */
async function untilEnded(
  { run, partition, signal, onWaiting, clock = systemClock }: ProbeRequest,
  { jobId, name, started }: { jobId: string; name: string; started: number },
): Promise<string | null> {
  let reportedAt = Number.NEGATIVE_INFINITY;
  let silentSince: number | null = null;
  for (;;) {
    if (signal.aborted) return 'The check was aborted.';
    const answer = await queryJobs(run, { kind: 'name', name }, { timeoutMs: 10_000, signal });
    const now = clock.monotonic();
    if (answer.kind === 'answer') {
      silentSince = null;
      const row = answer.rows.find(({ id }) => id === jobId);
      const phase = row === undefined ? 'ended' : phaseOf(row.state, row.reason);
      if (row === undefined || phase === 'ended') return null;
      if (now - reportedAt >= reportEveryMs) {
        reportedAt = now;
        const reason = row.reason === '' ? row.state.base : row.reason;
        onWaiting({ jobId, partition, reason, expectedStart: row.expectedStart, waitedMs: now - started });
      }
    } else if (!signal.aborted) {
      silentSince ??= now;
      if (now - silentSince > 60_000) return `Slurm does not answer: ${answer.why}`;
    }
    await clock.sleep(pollMs, signal);
  }
}

/** Waits for the node's answers, which may appear here later than the report. */
async function withAnswers(
  report: ProbeReport,
  placed: PlacedNonces,
  clock: Clock,
  signal: AbortSignal,
): Promise<ProbeReport> {
  const written = report.directories.filter((directory) => directory.writable);
  const from = clock.monotonic();
  const missing = new Map(written.map((directory) => [directory.path, 0]));
  const seen = new Map<string, number>();
  while (missing.size > 0 && clock.monotonic() - from < answersMs && !signal.aborted) {
    for (const path of missing.keys()) {
      if (!(await placed.hasAnswer(path))) continue;
      missing.delete(path);
      seen.set(path, Math.round(clock.monotonic() - from));
    }
    if (missing.size > 0) await clock.sleep(pollMs, signal);
  }
  return {
    ...report,
    directories: report.directories.map((directory) => ({
      ...directory,
      answerMs: seen.get(directory.path) ?? null,
    })),
  };
}

async function describeEnd(run: RunCommand, jobId: string, placed: PlacedNonces): Promise<string> {
  const shown = await run('scontrol', ['--oneliner', 'show', 'job', jobId], { timeoutMs: 5_000 });
  const text = shown.kind === 'exited' ? shown.stdout : '';
  const [, state = 'an unknown state'] = /\bJobState=(\S+)/.exec(text) ?? [];
  const [, exit = ''] = /\bExitCode=(\S+)/.exec(text) ?? [];
  const [, node = ''] = /\bBatchHost=(\S+)/.exec(text) ?? [];
  return `Job ${jobId} ended on ${node === '' ? 'its node' : node} as ${state}${exit === '' ? '' : `, exit code ${exit}`}, but its report ${placed.logFile} did not appear here.`;
}
