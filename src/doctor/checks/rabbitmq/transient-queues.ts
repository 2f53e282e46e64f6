import { randomUUID } from 'node:crypto';
import { errorLine } from '../../../base/errors.js';
import { withBroker } from '../../clients/broker.js';
import type { Check } from '../../check.js';
import { ok, warn } from '../../check-result.js';

const exclusiveWhy =
  'This worker falls back to an exclusive queue, but remote control in Girder and Celery needs them.';

/**
 * Celery 5 uses queues for remote control that are neither durable nor exclusive. RabbitMQ deprecates these
 * (`transient_nonexcl_queues`): 4.3 still permits them by default; operators or later releases may not.
 */
export const transientQueues: Check = {
  id: 'rabbitmq.transient-queues',
  group: 'rabbitmq',
  title: 'remote control queues',
  needs: ['rabbitmq.permissions'],
  async run({ settings, signal, clock }) {
    const name = `dsa-slurm-doctor-${randomUUID()}.celery.pidbox`;
    try {
      await withBroker({ ...settings.broker, signal, clock }, async (connection) => {
        const channel = await connection.createChannel();
        channel.on('error', () => undefined);
        await channel.assertQueue(name, {
          durable: false,
          autoDelete: true,
          messageTtl: 300_000,
          expires: 10_000,
        });
        await channel.deleteQueue(name);
      });
      return ok('transient shared queues are permitted');
    } catch (thrown) {
      // missing permissions are a different problem
      if (errorLine(thrown).includes('set_permissions')) throw thrown;
      return warn(
        [`RabbitMQ refuses transient shared queues: ${errorLine(thrown)}`, exclusiveWhy],
        'echo "deprecated_features.permit.transient_nonexcl_queues = true" >> /etc/rabbitmq/rabbitmq.conf   # and restart RabbitMQ',
      );
    }
  },
};
