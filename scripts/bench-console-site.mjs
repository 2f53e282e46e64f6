// A simulated worker of many jobs, for bench-console.mjs: rows in memory and a new answer of Slurm at the default interval,
// behind the socket that consoles attach to. The socket and what comes over it are real.
import { silentLog } from '../build/base/log.js';
import { listenForClients } from '../build/worker/socket/listen.js';

const [stateDirectory, jobs, refreshMs] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const now = Date.now();

function makeRun(index) {
  const group = index % 10;
  const stage = group < 3 ? 'running' : 'queued';
  return {
    id: `${String(index).padStart(8, '0')}-0000-4000-8000-000000000000`,
    stage,
    outcome: null,
    stageSince: now - index * 1_000,
    acceptedAt: now - index * 2_000,
    finishedAt: null,
    image: `histomics/analysis:v${index % 7}`,
    cli: ['NucleiDetection', 'TissueFraction', 'ComputeNucleiFeatures'][index % 3],
    title: `Nuclei detection on TCGA-${index}.svs`,
    user: `pathologist${index % 40}`,
    girderJobId: null,
    jobId: String(100_000 + index),
    progress: stage === 'running' ? (index % 100) / 100 : null,
    progressMessage: null,
    reason: null,
    cancelRequested: false,
  };
}

function makeJob(index, elapsed) {
  const running = index % 10 < 3;
  return {
    id: String(100_000 + index),
    name: `dsa-slurm-${index}`,
    user: 'girder',
    state: { base: running ? 'RUNNING' : 'PENDING', flags: [] },
    reason: running ? '' : 'Priority',
    partition: 'pathology',
    nodes: running ? `node${index % 64}` : '',
    cpus: 4,
    memory: '16G',
    gres: '',
    elapsed: running ? elapsed : 0,
    timeLimit: 43_200,
    submittedAt: now - index * 2_000,
    startedAt: running ? now - elapsed * 1_000 : null,
    expectedStart: null,
    endedAt: null,
    exitCode: null,
    key: null,
  };
}

const runs = Array.from({ length: jobs }, (_, index) => makeRun(index));
let rows = Array.from({ length: jobs }, (_, index) => makeJob(index, index % 3_600));
const listeners = new Set();
let snapshot = {
  profile: 'bench',
  executor: 'slurm',
  link: { kind: 'inside' },
  health: {
    startedAt: now,
    broker: { state: 'consuming', since: now, problem: null },
    intake: 'open',
    drainedAt: null,
    inFlight: jobs,
    inFlightLimit: jobs,
    finished: { succeeded: 0, failed: 0, canceled: 0 },
    problem: null,
  },
  runs,
  jobs: { rows, at: now, problem: null },
};

// every running job has grown older: as with a real answer, three rows in ten are new objects
setInterval(() => {
  rows = rows.map((row, index) => (row.elapsed > 0 ? makeJob(index, row.elapsed + refreshMs / 1_000) : row));
  snapshot = { ...snapshot, jobs: { rows, at: Date.now(), problem: null } };
  for (const listener of listeners) listener();
}, refreshMs);

const accepted = async () => ({ ok: true, message: '' });
const handle = {
  snapshot: () => snapshot,
  subscribe(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  followLog: () => () => undefined,
  watch: () => () => undefined,
  runDetail: async () => ({ ok: false, message: 'This worker is simulated.' }),
  act: accepted,
  pause: accepted,
  resume: accepted,
  drain: accepted,
};
await listenForClients(stateDirectory, handle, silentLog());
process.stdout.write('listening\n');
process.stdin.resume().on('end', () => process.exit());
