import { readBrokerUrl, type BrokerAddress } from '../../../celery/amqp/broker-url.js';
import { isLoopback } from '../../clients/broker.js';
import type { Check, Finding } from '../../check.js';
import { ok, warn } from '../../check-result.js';
import { openAddress } from '../../clients/listens.js';

/** @param open an address at which other hosts reach the broker; null if they cannot */
export function judgeCredentials(
  { user, connect, hostname, port, tls }: BrokerAddress,
  open: string | null,
): Finding {
  const isGuest = user === 'guest' && connect.password === 'guest';
  if (isGuest && open !== null) {
    return warn(
      `RabbitMQ accepts guest:guest, and its port ${port} is open to other hosts (${open}).`,
      "rabbitmqctl add_user girder '<password>' && rabbitmqctl set_permissions girder '.*' '.*' '.*' && rabbitmqctl delete_user guest   # then change Girder's setting and: dsa-slurm config set broker.url -",
    );
  }
  if (!isLoopback(hostname) && !tls) {
    return ok(
      `user ${user}; the connection to ${hostname} is not encrypted (amqp://), which is acceptable on a private network`,
    );
  }
  return ok(
    isGuest
      ? 'guest:guest, on a port that is closed to other hosts'
      : `user ${user}, not the default password`,
  );
}

export const credentials: Check = {
  id: 'rabbitmq.credentials',
  group: 'rabbitmq',
  title: 'credentials and open ports',
  needs: ['rabbitmq.connect'],
  async run({ settings, signal }) {
    const address = readBrokerUrl(settings.broker.url);
    return judgeCredentials(address, await openAddress(address.hostname, address.port, signal));
  },
};
