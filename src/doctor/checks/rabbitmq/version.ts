import type { Check, Finding } from '../../check.js';
import { fail, ok, warn } from '../../check-result.js';
import type { BrokerFacts } from './connect.js';

/** Judges the broker's version. */
export function judgeVersion({ product, version }: BrokerFacts): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (product !== 'RabbitMQ') {
    return warn(
      `${product} ${version} is not RabbitMQ.`,
      'Use RabbitMQ 3.8 or later: other brokers handle queues differently.',
    );
  }
  if (major < 3 || (major === 3 && minor < 8)) {
    return fail(`RabbitMQ ${version} is not supported.`, 'Install RabbitMQ 3.8 or later.');
  }
  if (major > 4 || (major === 4 && minor >= 3)) {
    return ok(
      `RabbitMQ ${version}, which denies global_qos by default: Python workers need Celery 5.5 or later, or deprecated_features.permit.global_qos = true`,
    );
  }
  return ok(`RabbitMQ ${version}`);
}

export const version: Check = {
  id: 'rabbitmq.version',
  group: 'rabbitmq',
  title: 'version',
  needs: ['rabbitmq.connect'],
  run: async ({ needed }) => judgeVersion(needed('rabbitmq.connect')),
};
