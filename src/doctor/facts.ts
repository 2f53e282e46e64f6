import type { ClusterInfo, Partition } from '../slurm/site.js';
import type { Pong } from './checks/celery/ping.js';
import type { GirderFacts } from './checks/girder/reach.js';
import type { SettingsFacts } from './checks/girder/settings.js';
import type { GirderAdmin } from './checks/girder/token.js';
import type { MongoFacts } from './checks/mongo/ping.js';
import type { BrokerFacts } from './checks/rabbitmq/connect.js';
import type { QueueFacts } from './checks/rabbitmq/queues.js';
import type { JournalFacts } from './checks/worker/journal.js';
import type { LockFacts } from './checks/worker/running.js';

/** Facts that checks pass to the checks that need them, by id. */
export interface CheckFacts {
  'celery.ping': readonly Pong[];
  'girder.reach': GirderFacts;
  /** Undefined if Girder has no such settings. */
  'girder.settings': SettingsFacts | undefined;
  'girder.token': GirderAdmin;
  /** Names of usable image files. */
  'images.files': readonly string[];
  /** Null if the database cannot be reached. */
  'mongo.ping': MongoFacts | null;
  'rabbitmq.connect': BrokerFacts;
  'rabbitmq.queues': readonly QueueFacts[];
  'slurm.partitions': readonly Partition[];
  'slurm.version': ClusterInfo;
  'worker.journal': JournalFacts;
  'worker.running': LockFacts;
}

/** Checks that pass on facts. */
export type FactId = keyof CheckFacts;
