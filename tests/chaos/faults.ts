import { rm, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { knownRefusals } from '../../src/slurm/refusals.js';
import type { Fault } from '../../src/sandbox/fake-girder/index.js';
import { faultFiles } from './worker-process.js';
import type { FaultName, PlannedFault } from './plan.js';
import { createRandom } from './random.js';
import type { ChaosSite } from './site.js';

/** Starts faults and ends them. */
export interface Faults {
  /** Starts a fault, unless one of the same component is active. */
  begin(fault: PlannedFault): void;
  /** How many faults of each kind were started. */
  counts(): ReadonlyMap<FaultName, number>;
  /** Ends all of them; resolves once everything works again. */
  stop(): Promise<void>;
}

export function createFaults(site: ChaosSite, seed: number): Faults {
  const random = createRandom(seed);
  const counts = new Map<FaultName, number>();
  const active = new Map<string, Promise<void>>();
  const over = new AbortController();

  return {
    begin(fault) {
      const [part = ''] = fault.name.split(':');
      if (active.has(part) || over.signal.aborted) return;
      counts.set(fault.name, (counts.get(fault.name) ?? 0) + 1);
      const pause = async (ms: number): Promise<void> => {
        await delay(ms, undefined, { signal: over.signal }).catch(() => undefined);
      };
      const done = play(fault, site, () => random.percent(fault.chance), pause).finally(() =>
        active.delete(part),
      );
      active.set(part, done);
      done.catch(() => undefined);
    },
    counts: () => counts,
    async stop() {
      over.abort();
      await Promise.all(active.values());
    },
  };
}

/** Longer than a restarted worker waits before it submits again, and longer than the timeout of its sbatch. */
const lateSeconds = 20;

/** How far the clock of the worker's host is set back. */
const clockJumpMs = 90_000;

const badGateway: Fault = {
  kind: 'answer',
  status: 502,
  contentType: 'text/html',
  body: '<h1>Bad Gateway</h1>',
};

/** Answers of a proxy, a login page or a broken Girder, used in turn. */
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

/** Slurm's messages for temporary refusals, used in turn. */
const temporaryRefusals = knownRefusals
  .filter(({ cause }) => cause === 'limit' || cause === 'unavailable')
  .flatMap(({ seen }) => seen.map(([message]) => message));

async function play(
  { name, forMs }: PlannedFault,
  site: ChaosSite,
  isAffected: () => boolean,
  pause: (ms: number) => Promise<void>,
): Promise<void> {
  const { proxy, slurm, commands, girder } = site;
  const { fullFile, slowFile, clockFile } = faultFiles(site);
  const breakGirder = async (fault: (method: string) => Fault): Promise<void> => {
    girder.fail((method) => (isAffected() ? fault(method) : undefined));
    await pause(forMs);
    girder.fail();
  };
  switch (name) {
    case 'broker: cut':
      proxy.cut();
      await pause(forMs);
      return proxy.restore();
    case 'broker: stall':
      proxy.stall();
      await pause(forMs);
      return proxy.restore();
    case 'broker: restart':
      return restartBroker(site);
    case 'girder: error':
      return breakGirder(() => {
        const next = wrongAnswers.shift() ?? badGateway;
        wrongAnswers.push(next);
        return next;
      });
    case 'girder: hang':
      return breakGirder(() => ({ kind: 'hold', forMs: 2_000 }));
    case 'girder: reset':
      return breakGirder(() => ({ kind: 'drop' }));
    case 'girder: lost answer':
      // a GET changes nothing, so dropping it is enough
      return breakGirder((method) => ({ kind: method === 'GET' ? 'drop' : 'lost answer' }));
    case 'slurm: stopped':
      slurm.daemon('slurmctld').signal('SIGSTOP');
      await pause(forMs);
      return slurm.daemon('slurmctld').signal('SIGCONT');
    case 'slurm: restarted': {
      const controller = slurm.daemon('slurmctld');
      // on SIGTERM it saves its state
      controller.signal('SIGTERM');
      await pause(Math.min(forMs, 3_000));
      await controller.kill();
      return controller.start();
    }
    case 'slurm: slow command':
      await commands.slowDown(Math.ceil(forMs / 2_000));
      await pause(forMs);
      return commands.restore();
    case 'slurm: late sbatch':
      await commands.delaySubmissions(lateSeconds);
      await pause(forMs);
      return commands.restore();
    case 'slurm: lost answer':
      await commands.loseAnswers();
      await pause(forMs);
      return commands.restore();
    case 'slurm: refusal': {
      const message = temporaryRefusals.shift() ?? '';
      temporaryRefusals.push(message);
      await commands.refuseJobs(message);
      await pause(forMs);
      return commands.restore();
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

/** Restarts the broker inside the Erlang node, which keeps its cookie and port. */
async function restartBroker({ rabbitmq, run }: ChaosSite): Promise<void> {
  const options = { env: rabbitmq.env, timeoutMs: 60_000 };
  await run(rabbitmq.ctl, ['stop_app'], options);
  for (let tries = 0; tries < 3; tries += 1) {
    const answer = await run(rabbitmq.ctl, ['start_app'], options);
    if (answer.kind === 'exited' && answer.exitCode === 0) return;
  }
  throw new Error('the broker did not come back');
}
