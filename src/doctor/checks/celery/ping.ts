import { randomUUID } from 'node:crypto';
import { controlExchange, replyExchange } from '../../../celery/amqp/topology.js';
import { withBroker } from '../../clients/broker.js';
import type { Check, CheckContext, Finding } from '../../check.js';
import { combine, configSet, ok, warn } from '../../check-result.js';

/** How long Celery's own callers wait, in milliseconds. */
const listenMs = 1_000;

/** A worker that answered. */
export interface Pong {
  node: string;
  /** The answer to `report`: that of dsa-slurm begins with `dsa-slurm worker`. */
  report: string;
  queues: readonly string[];
}

/** Broadcasts remote control commands, as Girder's status page does, and collects the replies of one second. */
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

/** `{"<node>": <value>}`; other replies are ignored. */
function readReply(text: string): { node: string; value: unknown }[] {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body !== 'object' || body === null || Array.isArray(body)) return [];
    return Object.entries(body).map(([node, value]) => ({ node: node.slice(0, 200), value }));
  } catch {
    return [];
  }
}

/** The workers that answer on this broker. */
export const ping: Check<'celery.ping'> = {
  id: 'celery.ping',
  group: 'celery',
  title: 'worker answers a ping',
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

/** Judges whether this profile's worker answered. */
export function judgePing(pongs: readonly Pong[], name: string, profile: string): Finding {
  const named = profile === 'default' ? '' : ` --profile ${profile}`;
  const others = pongs.filter(({ node }) => node !== name).map(({ node }) => node);
  const rest = others.length === 0 ? 'no other worker did' : `${others.join(', ')} did`;
  if (!pongs.some(({ node }) => node === name)) {
    return warn(`${name} did not answer within ${listenMs / 1_000} s; ${rest}.`, `dsa-slurm${named} worker`);
  }
  return ok(`${name} answers${others.length === 0 ? '' : `; so do ${others.join(', ')}`}`);
}

/** Workers with the same name receive each other's cancels. */
export function judgeNames(pongs: readonly Pong[], name: string, profile: string): Finding {
  const twice = [...new Set(pongs.map(({ node }) => node))].filter(
    (node) => pongs.filter((pong) => pong.node === node).length > 1,
  );
  if (twice.length === 0) return ok('all names are unique');
  return warn(
    `More than one worker has the name ${twice.join(', ')}: cancels may reach the wrong one.`,
    twice.includes(name)
      ? configSet(profile, 'worker.name', `${name.split('@')[0]}-2@${name.split('@')[1]}`)
      : 'Give each worker a unique name (celery worker -n).',
  );
}

export const names: Check = {
  id: 'celery.names',
  group: 'celery',
  title: 'worker names',
  needs: ['celery.ping'],
  run: async ({ needed, settings, profile }) =>
    judgeNames(needed('celery.ping'), settings.worker.name, profile),
};

/** A Python worker on the same queues would take tasks meant for Slurm. */
export function judgeOthers(pongs: readonly Pong[], queues: readonly string[], name: string): Finding {
  const rivals = pongs.filter(
    (pong) => pong.node !== name && pong.queues.some((queue) => queues.includes(queue)),
  );
  const [python, native] = [
    rivals.filter(({ report }) => !report.startsWith('dsa-slurm worker')),
    rivals.filter(({ report }) => report.startsWith('dsa-slurm worker')),
  ];
  const findings = [ok(`no other worker consumes ${queues.join(', ')}`)];
  if (rivals.length > 0) findings.length = 0;
  if (python.length > 0) {
    findings.push(
      warn(
        `A Python worker consumes the same queue: ${python.map(({ node }) => node).join(', ')}.`,
        'docker compose stop worker   # and remove the service "worker" from docker-compose.yml, or stop it where it was started',
      ),
    );
  }
  if (native.length > 0) {
    findings.push(
      ok(`other dsa-slurm workers share the queue: ${native.map(({ node }) => node).join(', ')}`),
    );
  }
  return combine(findings);
}

export const otherConsumers: Check = {
  id: 'celery.other-consumers',
  group: 'celery',
  title: 'other workers on its queues',
  needs: ['celery.ping'],
  run: async ({ needed, settings }) =>
    judgeOthers(needed('celery.ping'), settings.broker.queues, settings.worker.name),
};
