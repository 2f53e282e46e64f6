import type { JobRow } from '../../src/slurm/job.js';
import type {
  CommandAnswer,
  JobsView,
  Link,
  LogTail,
  RunView,
  WorkerHandle,
  WorkerHealth,
  WorkerSnapshot,
} from '../../src/worker/views/handle.js';
import type { JobDetail, JobScript, RunDetail, LiveViews } from '../../src/worker/views/live-views.js';

/** A fake worker handle whose snapshot is set by a test or a demonstration. */
export interface FakeWorker extends WorkerHandle {
  /** Replaces parts of the snapshot and notifies the listeners. */
  show(parts: {
    runs?: readonly RunView[];
    jobs?: Partial<JobsView>;
    health?: Partial<WorkerHealth>;
    profile?: string;
    link?: Link;
    executor?: WorkerSnapshot['executor'];
  }): void;
  /** The log of a run, for current and later followers. */
  write(runId: string, tail: LogTail): void;
  /** Sets the answer to the next command. */
  answerWith(answer: CommandAnswer | Error): void;
  /** The view that current and later watchers receive. */
  showWatched<K extends keyof LiveViews>(what: K, view: LiveViews[K]): void;
  /** What `runDetail`, `jobDetail` and `jobScript` answer, by id. */
  readonly details: {
    runs: Map<string, RunDetail>;
    jobs: Map<string, JobDetail>;
    scripts: Map<string, JobScript>;
  };
  /** What is being watched. */
  watching(): (keyof LiveViews)[];
  /** Commands in the order in which they came: `cancel run-1 run-2`, `hold 4711`, `timeLimit=30 run-1`, `pause`, … */
  readonly commands: readonly string[];
  /** Runs whose logs are being followed. */
  following(): string[];
  /** How many listeners there are. */
  listeners(): number;
}

export function createFakeWorker(now = 0): FakeWorker {
  let snapshot: WorkerSnapshot = {
    profile: 'default',
    executor: 'slurm',
    link: { kind: 'inside' },
    health: {
      startedAt: now,
      broker: { state: 'consuming', since: now, problem: null },
      intake: 'open',
      drainedAt: null,
      inFlight: 0,
      inFlightLimit: 1_000,
      finished: { succeeded: 0, failed: 0, canceled: 0 },
      problem: null,
    },
    runs: [],
    jobs: { rows: [], at: now, problem: null },
  };
  let answer: CommandAnswer | Error = { ok: true, message: '' };
  const listeners = new Set<() => void>();
  const logs = new Map<string, LogTail>();
  const followers = new Map<string, Set<(tail: LogTail) => void>>();
  const commands: string[] = [];

  const show: FakeWorker['show'] = ({ runs, jobs, health, profile, link, executor }) => {
    snapshot = {
      ...snapshot,
      profile: profile ?? snapshot.profile,
      link: link ?? snapshot.link,
      executor: executor ?? snapshot.executor,
      runs: runs ?? snapshot.runs,
      jobs: jobs === undefined ? snapshot.jobs : { ...snapshot.jobs, ...jobs },
      health: health === undefined ? snapshot.health : { ...snapshot.health, ...health },
    };
    for (const listener of listeners) listener();
  };
  const views = new Map<keyof LiveViews, LiveViews[keyof LiveViews]>();
  const watchers = new Map<keyof LiveViews, Set<(view: never) => void>>();
  const details: FakeWorker['details'] = { runs: new Map(), jobs: new Map(), scripts: new Map() };
  const command = async (text: string): Promise<CommandAnswer> => {
    commands.push(text);
    if (answer instanceof Error) throw answer;
    return answer;
  };

  const intake = async (word: string, state: WorkerHealth['intake']): Promise<CommandAnswer> => {
    await command(word);
    show({ health: { intake: state } });
    return { ok: true, message: `Intake ${word === 'drain' ? 'draining' : `${word}d`}.` };
  };

  return {
    snapshot: () => ({ ...snapshot }),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    followLog(runId, listener) {
      const group = followers.get(runId) ?? new Set();
      followers.set(runId, group.add(listener));
      listener(logs.get(runId) ?? { lines: [], lost: 0 });
      return () => group.delete(listener);
    },
    watch(what, listener) {
      const group = watchers.get(what) ?? new Set();
      watchers.set(what, group.add(listener));
      const view = views.get(what);
      if (view !== undefined) listener(view as never);
      return () => group.delete(listener);
    },
    async runDetail(runId) {
      const detail = details.runs.get(runId);
      return detail === undefined ? { ok: false, message: `No such run: ${runId}.` } : { ok: true, detail };
    },
    jobDetail: async (jobId) => details.jobs.get(jobId) ?? { jobId, facts: [], at: null, problem: 'unknown' },
    jobScript: async (jobId) =>
      details.scripts.get(jobId) ?? { jobId, lines: [], omitted: 0, at: null, problem: 'unknown' },
    imageDetail: async () => ({ ok: false, message: 'There is no such file.' }),
    async act({ kind, runs, jobs, ...values }) {
      const word = [kind, ...Object.values(values).map(String)].join('=');
      return command([word, ...runs, ...jobs].join(' '));
    },
    changeNodes: async (change, nodes) => command([...Object.values(change).map(String), ...nodes].join(' ')),
    pause: async () => intake('pause', 'paused'),
    resume: async () => intake('resume', 'open'),
    drain: async () => intake('drain', 'draining'),
    showWatched(what, view) {
      views.set(what, view);
      for (const listener of watchers.get(what) ?? []) listener(view as never);
    },
    details,
    watching: () => [...watchers].filter(([, group]) => group.size > 0).map(([what]) => what),
    show,
    write(runId, tail) {
      logs.set(runId, tail);
      for (const listener of followers.get(runId) ?? []) listener(tail);
    },
    answerWith(next) {
      answer = next;
    },
    commands,
    following: () => [...followers].filter(([, group]) => group.size > 0).map(([runId]) => runId),
    listeners: () => listeners.size,
  };
}

/** A run with every field set; a test sets only the fields that it is about. */
export function fakeRun(parts: Partial<RunView> & { id: string }): RunView {
  return {
    stage: 'accepted',
    outcome: null,
    stageSince: 0,
    acceptedAt: 0,
    finishedAt: null,
    image: 'example/small:v1',
    cli: 'NucleiDetection',
    title: null,
    user: null,
    girderJobId: null,
    jobId: null,
    progress: null,
    progressMessage: null,
    reason: null,
    cancelRequested: false,
    ...parts,
  };
}

/** A running Slurm job with every field set. */
export function fakeJob(parts: Partial<JobRow> & { id: string }): JobRow {
  return {
    name: 'job',
    user: 'worker',
    state: { base: 'RUNNING', flags: [] },
    reason: '',
    partition: 'cpu',
    nodes: 'node1',
    cpus: 1,
    memory: '1G',
    gres: '',
    elapsed: 0,
    timeLimit: 3_600,
    submittedAt: 0,
    startedAt: 0,
    expectedStart: null,
    endedAt: null,
    exitCode: null,
    key: null,
    mark: null,
    ...parts,
  };
}
