import type { Check, Finding } from '../../check.js';
import { ok, skip } from '../../check-result.js';

/** @param printed output of `rabbitmqctl eval`: `{ok,1800000}` or `undefined` */
export function judgeTimeout(printed: string): Finding {
  const ms = /\{ok,(\d+)\}/.exec(printed)?.[1];
  const note =
    'This worker acknowledges a task as soon as it is in its journal, so the timeout does not affect it.';
  if (ms === undefined) return ok(['no delivery timeout', note]);
  const minutes = Math.round(Number(ms) / 60_000);
  return ok([`RabbitMQ closes a channel that leaves a task unacknowledged for ${minutes} min.`, note]);
}

/** Only users of rabbitmqctl can read the broker's settings. */
export const deliveryTimeout: Check = {
  id: 'rabbitmq.delivery-timeout',
  group: 'rabbitmq',
  title: 'delivery timeout',
  needs: ['rabbitmq.connect'],
  whenLate: skip('rabbitmqctl did not answer in time'),
  async run({ run, signal, needed }) {
    const { cluster } = needed('rabbitmq.connect');
    const node = cluster !== null && /^[\w.-]+@[\w.-]+$/.test(cluster) ? ['-n', cluster] : [];
    const result = await run(
      'rabbitmqctl',
      ['-q', ...node, 'eval', 'application:get_env(rabbit, consumer_timeout).'],
      {
        timeoutMs: 2_500,
        signal,
      },
    );
    if (result.kind !== 'exited' || result.exitCode !== 0) {
      return skip('only the administrator of RabbitMQ can read this setting (rabbitmqctl)');
    }
    return judgeTimeout(result.stdout);
  },
};
