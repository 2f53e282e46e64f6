import { rm, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { knownRefusals } from '../../src/slurm/refusals.js';
import type { Fault } from '../../src/sandbox/fake-girder/index.js';
import { faultFiles } from './worker-process.js';
import type { FaultName, PlannedFault } from './plan.js';
import { createRandom } from './random.js';
import type { ChaosSite } from './site.js';

/** Makes things go wrong, and right again. */
export interface Faults {
  /** Begins a fault; left out while one of the same part goes on. */
  begin(fault: PlannedFault): void;
  /** How many of each kind there were. */
  counts(): ReadonlyMap<FaultName, number>;
  /** Ends all of them and resolves once everything works. */
  mend(): Promise<void>;
}

export function createFaults(site: ChaosSite, seed: number): Faults {
  const random = createRandom(seed);
  const counts = new Map<FaultName, number>();
  const going = new Map<string, Promise<void>>();
  const over = new AbortController();

  return {
    begin(fault) {
      const [part = ''] = fault.name.split(':');
      if (going.has(part) || over.signal.aborted) return;
      counts.set(fault.name, (counts.get(fault.name) ?? 0) + 1);
      const pause = async (ms: number): Promise<void> => {
        await delay(ms, undefined, { signal: over.signal }).catch(() => undefined);
      };
      const done = play(fault, site, () => random.percent(fault.chance), pause).finally(() =>
        going.delete(part),
      );
      going.set(part, done);
      done.catch(() => undefined);
    },
    counts: () => counts,
    async mend() {
      over.abort();
      await Promise.all(going.values());
    },
  };
}

/** Longer than a worker that was started again waits before it submits a second time, and longer than its own sbatch may take. */
const lateSeconds = 20;

/** So far the clock of the worker's host is set back, and forward again. */
const clockJumpMs = 90_000;

const badGateway: Fault = {
  kind: 'answer',
  status: 502,
  contentType: 'text/html',
  body: '<h1>Bad Gateway</h1>',
};

/** What a proxy, a login page or an ill Girder says; each in its turn. */
const wrongAnswers: Fault[] = [
  badGateway,
  { ...badGateway, status: 200, body: '<h1>Maintenance</h1>' },
  { ...badGateway, status: 404 },
  { ...badGateway, status: 401 },
  { ...badGateway, status: 200, body: '' },
  { ...badGateway, status: 302, body: '', headers: { location: '/login' } },
  {
    ...badGateway,
    status: 500,
    contentType: 'application/json',
    body: '{"message":"An unexpected error occurred on the server.","type":"internal"}',
  },
];

/** Refusals that pass, in Slurm's words; each in its turn. */
const passingRefusals = knownRefusals
  .filter(({ cause }) => cause === 'limit' || cause === 'unavailable')
  .flatMap(({ seen }) => seen.map(([words]) => words));

async function play(
  { name, forMs }: PlannedFault,
  site: ChaosSite,
  isSpoilt: () => boolean,
  pause: (ms: number) => Promise<void>,
): Promise<void> {
  const { proxy, slurm, commands, girder } = site;
  const { fullFile, slowFile, clockFile } = faultFiles(site);
  const spoilGirder = async (fault: (method: string) => Fault): Promise<void> => {
    girder.fail((method) => (isSpoilt() ? fault(method) : undefined));
    await pause(forMs);
    girder.fail();
  };
  switch (name) {
    case 'broker: cut':
      proxy.cut();
      await pause(forMs);
      return proxy.mend();
    case 'broker: stall':
      proxy.stall();
      await pause(forMs);
      return proxy.mend();
    case 'broker: restart':
      return restartBroker(site);
    case 'girder: error':
      return spoilGirder(() => {
        const next = wrongAnswers.shift() ?? badGateway;
        wrongAnswers.push(next);
        return next;
      });
    case 'girder: hang':
      return spoilGirder(() => ({ kind: 'hold', forMs: 2_000 }));
    case 'girder: reset':
      return spoilGirder(() => ({ kind: 'drop' }));
    case 'girder: lost answer':
      // a question whose answer is lost has changed nothing
      return spoilGirder((method) => ({ kind: method === 'GET' ? 'drop' : 'lost answer' }));
    case 'slurm: stopped':
      slurm.daemon('slurmctld').signal('SIGSTOP');
      await pause(forMs);
      return slurm.daemon('slurmctld').signal('SIGCONT');
    case 'slurm: restarted': {
      const controller = slurm.daemon('slurmctld');
      // it writes down what it knows
      controller.signal('SIGTERM');
      await pause(Math.min(forMs, 3_000));
      await controller.kill();
      return controller.start();
    }
    case 'slurm: slow command':
      await commands.slowDown(Math.ceil(forMs / 2_000));
      await pause(forMs);
      return commands.mend();
    case 'slurm: late sbatch':
      await commands.delaySubmissions(lateSeconds);
      await pause(forMs);
      return commands.mend();
    case 'slurm: lost answer':
      await commands.loseAnswers();
      await pause(forMs);
      return commands.mend();
    case 'slurm: refusal': {
      const words = passingRefusals.shift() ?? '';
      passingRefusals.push(words);
      await commands.refuseJobs(words);
      await pause(forMs);
      return commands.mend();
    }
    case 'accounting: stopped':
      slurm.daemon('slurmdbd').signal('SIGSTOP');
      await pause(forMs);
      return slurm.daemon('slurmdbd').signal('SIGCONT');
    case 'accounting: killed': {
      const slurmdbd = slurm.daemon('slurmdbd');
      await slurmdbd.kill();
      await pause(forMs);
      return slurmdbd.start();
    }
    case 'clock: set back':
      await writeFile(clockFile, String(clockJumpMs));
      await pause(forMs);
      return rm(clockFile, { force: true });
    case 'disk: full':
      await writeFile(fullFile, '');
      await pause(forMs);
      return rm(fullFile, { force: true });
    case 'disk: slow':
      await writeFile(slowFile, '');
      await pause(forMs);
      return rm(slowFile, { force: true });
  }
}

/** The node stays, so that its cookie and port do; the broker in it is stopped and started. */
async function restartBroker({ rabbitmq, run }: ChaosSite): Promise<void> {
  const options = { env: rabbitmq.env, timeoutMs: 60_000 };
  await run(rabbitmq.ctl, ['stop_app'], options);
  for (let tries = 0; tries < 3; tries += 1) {
    const answer = await run(rabbitmq.ctl, ['start_app'], options);
    if (answer.kind === 'exited' && answer.exitCode === 0) return;
  }
  throw new Error('the broker did not come back');
}
