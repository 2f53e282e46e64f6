import { existsSync } from 'node:fs';
import { connect } from '../../celery/amqp/amqplib.js';
import { describeFailure, type RunCommand } from '../../base/command.js';
import { DsaSlurmError } from '../../base/errors.js';
import { packageFile } from '../../base/package-file.js';
import { systemPython } from '../services/packages.js';
import type { ProducedMessage } from './message.js';

export interface Producer {
  kind: 'celery' | 'own';
  /** One sentence for the screen. */
  description: string;
  publish(messages: readonly ProducedMessage[], options?: PublishOptions): Promise<void>;
  /** What Girder broadcasts for a cancel. */
  revoke(taskIds: readonly string[]): Promise<void>;
}

export interface PublishOptions {
  /** Default `celery`. */
  queue?: string;
}

/**
 * Celery if the system's Python has it, otherwise a built-in publisher that sends the same messages.
 * `brokerUrl` holds a password: it goes to Python through its standard input.
 */
export async function createProducer({
  brokerUrl,
  run,
  own = false,
}: {
  brokerUrl: string;
  run: RunCommand;
  /** Always use the built-in publisher: Celery takes a second for each call. */
  own?: boolean;
}): Promise<Producer> {
  if (own) return ownProducer(brokerUrl);
  const version = await run(systemPython, ['-c', 'import celery; print(celery.__version__)']);
  if (version.kind === 'exited' && version.exitCode === 0) {
    return celeryProducer(brokerUrl, run, version.stdout.trim());
  }
  return ownProducer(brokerUrl);
}

function celeryProducer(brokerUrl: string, run: RunCommand, version: string): Producer {
  const script = publishScript();
  const call = async (request: object) => {
    const result = await run(systemPython, [script], {
      input: JSON.stringify({ broker: brokerUrl, ...request }),
      timeoutMs: 60_000,
    });
    if (describeFailure(result) !== '') {
      // Without its output: a Python traceback may contain the broker's URL.
      throw new DsaSlurmError('sandbox', 'The Celery producer could not publish.', {
        cause: result.kind,
      });
    }
  };
  return {
    kind: 'celery',
    description: `Tasks are published by Celery ${version}, as in Girder.`,
    publish: (tasks, { queue } = {}) =>
      call({ tasks: tasks.map((task) => (queue === undefined ? task : { ...task, queue })) }),
    revoke: (taskIds) => call({ revoke: taskIds }),
  };
}

/** Sends the messages that Celery would send; see docs/contract.md, "Celery task messages". */
function ownProducer(brokerUrl: string): Producer {
  return {
    kind: 'own',
    description: 'python3-celery is not installed: a built-in publisher sends the same messages.',
    async publish(messages, { queue = 'celery' } = {}) {
      const connection = await connect(brokerUrl);
      const channel = await connection.createConfirmChannel();
      await channel.assertQueue(queue, { durable: true });
      for (const message of messages) {
        const embed = { callbacks: null, errbacks: null, chain: null, chord: null };
        const body = { 'py/tuple': [{ 'py/tuple': message.args }, message.kwargs, embed] };
        channel.publish('', queue, Buffer.from(JSON.stringify(body)), {
          contentType: 'application/json',
          contentEncoding: 'utf-8',
          deliveryMode: 2,
          priority: 0,
          correlationId: message.id,
          headers: { ...celeryHeaders(message), ...message.headers },
        });
      }
      await channel.waitForConfirms();
      await connection.close();
    },
    async revoke(taskIds) {
      const connection = await connect(brokerUrl);
      const channel = await connection.createConfirmChannel();
      await channel.assertExchange('celery.pidbox', 'fanout', { durable: false });
      for (const taskId of taskIds) {
        const body = {
          method: 'revoke',
          arguments: { task_id: taskId, terminate: false, signal: null },
          destination: null,
          pattern: null,
          matcher: null,
        };
        channel.publish('celery.pidbox', '', Buffer.from(JSON.stringify(body)), {
          contentType: 'application/json',
          contentEncoding: 'utf-8',
          deliveryMode: 2,
          headers: { clock: 1, expires: 0 },
        });
      }
      await channel.waitForConfirms();
      await connection.close();
    },
  };
}

function celeryHeaders({ id, task, kwargsrepr }: ProducedMessage): Record<string, unknown> {
  return {
    lang: 'py',
    task,
    id,
    shadow: null,
    eta: null,
    expires: null,
    group: null,
    group_index: null,
    retries: 0,
    timelimit: [null, null],
    root_id: id,
    parent_id: null,
    argsrepr: '()',
    kwargsrepr,
    origin: `gen${process.pid}@sandbox`,
    ignore_result: true,
  };
}

function publishScript(): string {
  const script = packageFile('templates/sandbox/publish.py');
  if (!existsSync(script)) {
    throw new DsaSlurmError('sandbox', `${script} is missing from this installation.`);
  }
  return script;
}
