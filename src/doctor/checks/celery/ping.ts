import { randomUUID } from 'node:crypto';
import { controlExchange, replyExchange } from '../../../celery/amqp/topology.js';
import { withBroker } from '../../clients/broker.js';
import type { Check, CheckContext, Finding } from '../../check.js';
import { combine, configSet, ok, warn } from '../../check-result.js';

/** Milliseconds that Celery's own callers wait. */
const listenMs = 1_000;

/** A worker that answered. */
export interface Pong {
  node: string;
  /** The whole answer to `report`: ours begins with `dsa-slurm worker`. */
  report: string;
  queues: readonly string[];
}

/** Broadcasts methods of remote control, as Girder's status page does, and gathers what comes within a second. */
async function ask(
  methods: readonly string[],
  { settings, signal, clock }: CheckContext,
): Promise<{ method: string; node: string; value: unknown }[]> {
  return withBroker({ ...settings.broker, signal, clock }, async (connection) => {
    const channel = await connection.createChannel();
    channel.on('error', () => undefined);
    const key = randomUUID();
    await channel.assertExchange(controlExchange, 'fanout', { durable: false, autoDelete: false });
    await channel.assertExchange(replyExchange, 'direct', { durable: false, autoDelete: false });
    const { queue } = await channel.assertQueue('', { exclusive: true, autoDelete: true, durable: false });
    await channel.bindQueue(queue, replyExchange, key);
    const tickets = new Map<string, string>(methods.map((method) => [randomUUID(), method]));
    const answers: { method: string; node: string; value: unknown }[] = [];
    await channel.consume(
      queue,
      (message) => {
        const method = tickets.get(String(message?.properties.headers?.['ticket']));
        if (message === null || method === undefined) return;
        answers.push(...readReply(message.content.toString('utf8')).map((reply) => ({ method, ...reply })));
      },
      { noAck: true },
    );
    for (const [ticket, method] of tickets) {
      const body = {
        method,
        arguments: {},
        destination: null,
        pattern: null,
        matcher: null,
        ticket,
        reply_to: { exchange: replyExchange, routing_key: key },
      };
      channel.publish(controlExchange, '', Buffer.from(JSON.stringify(body)), {
        contentType: 'application/json',
        contentEncoding: 'utf-8',
        headers: { clock: 1, expires: clock.now() / 1_000 + 5 },
      });
    }
    await clock.sleep(listenMs, signal);
    return answers;
  });
}

/** `{"<node>": <value>}`; whatever is no such thing is nobody's answer. */
function readReply(text: string): { node: string; value: unknown }[] {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body !== 'object' || body === null || Array.isArray(body)) return [];
    return Object.entries(body).map(([node, value]) => ({ node: node.slice(0, 200), value }));
  } catch {
    return [];
  }
}

/** Who answers on this broker; needed by the checks of names and of Python workers. */
export const ping: Check = {
  id: 'celery.ping',
  group: 'celery',
  title: 'our worker answers a ping',
  needs: ['rabbitmq.permissions'],
  async run(context) {
    const answers = await ask(['ping', 'report', 'active_queues'], context);
    const pings = answers.filter(({ method, value }) => method === 'ping' && isPong(value));
    const pongs: Pong[] = pings.map(({ node }) => ({
      node,
      report: textOf(answers.find((one) => one.method === 'report' && one.node === node)?.value),
      queues: queueNames(answers.find((one) => one.method === 'active_queues' && one.node === node)?.value),
    }));
    return { ...judgePing(pongs, context.settings.worker.name, context.profile), fact: pongs };
  },
};

function isPong(value: unknown): boolean {
  return (value as { ok?: unknown } | null)?.ok === 'pong';
}

function textOf(value: unknown): string {
  const text = (value as { ok?: unknown } | null | undefined)?.ok;
  return typeof text === 'string' ? text : '';
}

function queueNames(value: unknown): string[] {
  const list = Array.isArray(value) ? (value as { name?: unknown }[]) : [];
  return list.flatMap(({ name }) => (typeof name === 'string' ? [name] : []));
}

/** Pure. */
export function judgePing(pongs: readonly Pong[], name: string, profile: string): Finding {
  const named = profile === 'default' ? '' : ` --profile ${profile}`;
  const others = pongs.filter(({ node }) => node !== name).map(({ node }) => node);
  const said = others.length === 0 ? 'nobody else answers either' : `answers came from ${others.join(', ')}`;
  if (!pongs.some(({ node }) => node === name)) {
    return warn(`${name} did not answer within ${listenMs / 1_000} s; ${said}.`, `dsa-slurm${named} worker`);
  }
  return ok(`${name} answers; ${others.length === 0 ? 'it is alone' : `so do ${others.join(', ')}`}`);
}

/** Two workers of one name take each other's cancels. Pure. */
export function judgeNames(pongs: readonly Pong[], name: string, profile: string): Finding {
  const twice = [...new Set(pongs.map(({ node }) => node))].filter(
    (node) => pongs.filter((pong) => pong.node === node).length > 1,
  );
  if (twice.length === 0) return ok('every name is there once');
  return warn(
    `More than one worker is called ${twice.join(', ')}: cancels may reach the wrong one.`,
    twice.includes(name)
      ? configSet(profile, 'worker.name', `${name.split('@')[0]}-2@${name.split('@')[1]}`)
      : 'Give each worker a name of its own (celery worker -n).',
  );
}

export const names: Check = {
  id: 'celery.names',
  group: 'celery',
  title: 'names of workers',
  needs: ['celery.ping'],
  run: async ({ needed, settings, profile }) =>
    judgeNames(needed('celery.ping') as Pong[], settings.worker.name, profile),
};

/** A Python worker on our queues would take tasks that were meant for Slurm. Pure. */
export function judgeOthers(pongs: readonly Pong[], queues: readonly string[], name: string): Finding {
  const rivals = pongs.filter(
    (pong) => pong.node !== name && pong.queues.some((queue) => queues.includes(queue)),
  );
  const [python, ours] = [
    rivals.filter(({ report }) => !report.startsWith('dsa-slurm worker')),
    rivals.filter(({ report }) => report.startsWith('dsa-slurm worker')),
  ];
  const findings = [ok(`nobody else of ${pongs.length} takes tasks from ${queues.join(', ')}`)];
  if (rivals.length > 0) findings.length = 0;
  if (python.length > 0) {
    findings.push(
      warn(
        `A Python worker takes tasks from the same queue: ${python.map(({ node }) => node).join(', ')}.`,
        `Stop it where it was started, or remove the service "worker" from docker-compose.yml: docker compose stop worker`,
      ),
    );
  }
  if (ours.length > 0) {
    findings.push(
      ok(`further workers of this program share the queue: ${ours.map(({ node }) => node).join(', ')}`),
    );
  }
  return combine(findings);
}

export const otherConsumers: Check = {
  id: 'celery.other-consumers',
  group: 'celery',
  title: 'other workers on our queues',
  needs: ['celery.ping'],
  run: async ({ needed, settings }) =>
    judgeOthers(needed('celery.ping') as Pong[], settings.broker.queues, settings.worker.name),
};
