import type { Check, Finding } from '../../check.js';
import { ok, skip } from '../../check-result.js';
import type { BrokerFacts } from './connect.js';

/** What `rabbitmqctl eval` printed: `{ok,1800000}` or `undefined`. Pure. */
export function judgeTimeout(printed: string): Finding {
  const ms = /\{ok,(\d+)\}/.exec(printed)?.[1];
  const note =
    'This worker acknowledges a task as soon as it is in its journal, so no delivery of its waits that long.';
  if (ms === undefined) return ok(['no delivery time-out', note]);
  const minutes = Math.round(Number(ms) / 60_000);
  return ok([`RabbitMQ closes a channel that leaves a task unacknowledged for ${minutes} min.`, note]);
}

/** Only a user who may use rabbitmqctl sees the broker's own settings. */
export const deliveryTimeout: Check = {
  id: 'rabbitmq.delivery-timeout',
  group: 'rabbitmq',
  title: 'delivery time-out',
  needs: ['rabbitmq.connect'],
  async run({ run, signal, needed }) {
    const { cluster } = needed('rabbitmq.connect') as BrokerFacts;
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
      return skip('the broker shows its settings only to its own administrator (rabbitmqctl)');
    }
    return judgeTimeout(result.stdout);
  },
};
