import { appendFile, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from '../../src/celery/amqp/amqplib.js';
import { jobName } from '../../src/slurm/job-identity.js';
import { journalPath, readJournal } from '../../src/worker/run-state/read-journal.js';
import type { ChaosRun } from './batch.js';
import type { ChaosSite } from './site.js';
import type { Problem } from './verify.js';

type JobsByName = Map<string, { id: string; state: string }[]>;

/** What squeue has shown while chaos went on. */
export interface SeenJobs {
  /** The last state of each job, by id. */
  readonly jobs: ReadonlyMap<string, { name: string; state: string }>;
  stop(): Promise<void>;
}

/**
 * Follows all jobs in squeue: a slurmctld that is restarted while slurmdbd is down forgets to tell it of jobs that have ended
 * (seen on 22.05).
 */
export function watchJobs({ run }: ChaosSite): SeenJobs {
  const jobs = new Map<string, { name: string; state: string }>();
  const stopping = new AbortController();
  const look = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const answer = await run('squeue', ['--states=all', '--noheader', '--format=%A|%T|%j']);
      const lines = answer.kind === 'exited' && answer.exitCode === 0 ? answer.stdout.split('\n') : [];
      for (const line of lines) {
        const [id = '', state = '', name = ''] = line.trim().split('|');
        if (id !== '') jobs.set(id, { name, state });
      }
      // well within MinJobAge
      await delay(2_000, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const done = look();
  return {
    jobs,
    async stop() {
      stopping.abort();
      await done;
    },
  };
}

/**
 * All jobs by name, from accounting and from what squeue has shown, once slurmctld has sent everything to slurmdbd and the jobs of
 * these runs are known. Accounting learns of a job seconds after its run may have ended, and an empty queue of slurmctld does
 * not mean that all has arrived.
 */
export async function allJobs(
  { run }: ChaosSite,
  seen: SeenJobs,
  names: readonly string[],
): Promise<JobsByName> {
  const ask = async (file: string, ...args: string[]): Promise<string> => {
    const answer = await run(file, args, { timeoutMs: 30_000 });
    if (answer.kind !== 'exited' || answer.exitCode !== 0)
      throw new Error(`${file}: ${JSON.stringify(answer)}`);
    return answer.stdout;
  };
  const deadline = performance.now() + 60_000;
  for (;;) {
    const isSynced = /DBD Agent queue size:\s*0\s*$/m.test(await ask('sdiag'));
    const format = ['--noheader', '--parsable2', '--allocations', '--allusers', '--starttime=now-1day'];
    const jobs: JobsByName = new Map();
    for (const line of (await ask('sacct', ...format, '--format=JobIDRaw,State,JobName')).split('\n')) {
      // "CANCELLED by 1000"
      const [id = '', words = '', name = ''] = line.trim().split('|');
      const state = words.replace(/ .*/, '');
      if (id !== '') jobs.set(name, [...(jobs.get(name) ?? []), { id, state }]);
    }
    for (const [id, { name, state }] of seen.jobs) {
      const known = jobs.get(name) ?? [];
      if (!known.some((job) => job.id === id)) jobs.set(name, [...known, { id, state }]);
    }
    const isWhole = [...jobs.values()].flat().every(hasEnded) && names.every((name) => jobs.has(name));
    if ((isSynced && isWhole) || performance.now() > deadline) return jobs;
    await delay(500);
  }
}

function hasEnded({ state }: { state: string }): boolean {
  return /^(COMPLETED|FAILED|CANCELLED)$/.test(state);
}

export function jobNameOf({ taskId }: ChaosRun): string {
  return jobName(taskId);
}

/** Leftovers that should not exist once the worker has stopped. */
export async function findLeftovers(
  site: ChaosSite,
  seen: SeenJobs,
  runs: readonly ChaosRun[],
): Promise<Problem[]> {
  const { places } = site;
  const problems: Problem[] = [];
  const wrong = (what: string): void => void problems.push({ kind: 'wrong', what });
  const tmp = await readdir(places.tmp);
  if (tmp.length > 0) wrong(`left in TMP: ${tmp.slice(0, 5).join(', ')} (${tmp.length})`);
  const records = (await readdir(places.logs)).filter((name) => !name.endsWith('.log'));
  if (records.length > 0) wrong(`left in LOGS: ${records.slice(0, 5).join(', ')} (${records.length})`);
  const ours = new Set(runs.map(jobNameOf));
  for (const [name, jobs] of await allJobs(site, seen, [])) {
    if (!ours.has(name)) wrong(`a stray Slurm job ${jobs.map(({ id }) => id).join(', ')} named ${name}`);
    for (const job of jobs) if (!hasEnded(job)) wrong(`Slurm job ${job.id} is ${job.state}`);
  }
  const waiting = await messagesIn(site.rabbitmq.url, 'celery');
  if (waiting > 0) problems.push({ kind: 'lost', what: `${waiting} messages are still in the queue` });
  const damaged = (await readdir(places.state)).filter((name) => name.includes('.damaged'));
  if (damaged.length > 0) wrong(`the journal was damaged: ${damaged.join(', ')}`);
  const open = await unfinishedRuns(site);
  if (open.length > 0)
    problems.push({ kind: 'lost', what: `runs that the journal has not finished: ${open.join(', ')}` });
  return problems;
}

/** Ids of the runs that are not finished. */
export async function unfinishedRuns({ places }: ChaosSite): Promise<string[]> {
  const { runs } = await readJournal(journalPath(places.state));
  return [...runs.values()].flatMap(({ id, stage }) => (stage === 'finished' ? [] : [id]));
}

/** Keeps the journal events of a worker, which its successor compacts into a snapshot, for the analysis of failures. */
export async function keepEvents({ dir, places }: ChaosSite, worker: number): Promise<void> {
  const text = await readFile(journalPath(places.state), 'utf8').catch(() => '');
  const events = text.split('\n').filter((line) => line !== '' && !line.startsWith('{"snapshot"'));
  await appendFile(join(dir, 'log', 'events.jsonl'), `# worker ${worker}\n${events.join('\n')}\n`);
}

/** No consumer is left, so unacknowledged messages are counted, too. */
async function messagesIn(url: string, queue: string): Promise<number> {
  const connection = await connect(url);
  try {
    const channel = await connection.createChannel();
    return (await channel.checkQueue(queue)).messageCount;
  } finally {
    await connection.close();
  }
}
