import { readBrokerUrl } from '../../../celery/amqp/broker-url.js';
import { withBroker } from '../../clients/broker.js';
import type { Check } from '../../check.js';
import { ok } from '../../check-result.js';

/** RabbitMQ's server properties. */
export interface BrokerFacts {
  product: string;
  version: string;
  /** The cluster name, by default the node's name: `rabbit@host`. */
  cluster: string | null;
}

/** Tests host, port, TLS, user, password and virtual host by connecting. */
export const connect: Check<'rabbitmq.connect'> = {
  id: 'rabbitmq.connect',
  group: 'rabbitmq',
  title: 'connection, user and virtual host',
  async run({ settings, signal, clock }) {
    const address = readBrokerUrl(settings.broker.url);
    const facts = await withBroker(
      { ...settings.broker, signal, clock },
      async (connection): Promise<BrokerFacts> => {
        const { product, version, ...more } = connection.connection.serverProperties;
        const { cluster_name: cluster } = more as { cluster_name?: unknown };
        return { product, version, cluster: typeof cluster === 'string' ? cluster : null };
      },
    );
    const finding = ok(
      `${facts.product} ${facts.version} at ${address.hostname}:${address.port}, user ${address.user}, virtual host ${address.virtualHost}`,
    );
    return { ...finding, fact: facts };
  },
};
