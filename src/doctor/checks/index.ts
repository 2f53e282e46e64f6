import { DsaSlurmError } from '../../base/errors.js';
import type { Check } from '../check.js';
import { isolation } from './apptainer/isolation.js';
import { privileges } from './apptainer/privileges.js';
import { pulls } from './apptainer/pulls.js';
import { start as apptainerStart } from './apptainer/start.js';
import { version as apptainerVersion } from './apptainer/version.js';
import { names, otherConsumers, ping as celeryPing } from './celery/ping.js';
import { roundTrip } from './celery/round-trip.js';
import { deployment } from './configuration/deployment.js';
import { environment } from './configuration/environment.js';
import { modes } from './configuration/modes.js';
import { valid } from './configuration/valid.js';
import { leftovers } from './directories/leftovers.js';
import { probe } from './directories/probe.js';
import { imagesDirectory, logsDirectory, tmpDirectory } from './directories/shared-directory.js';
import { submitScript } from './directories/submit-script.js';
import { apiUrl } from './girder/api-url.js';
import { images } from './girder/images.js';
import { plugins } from './girder/plugins.js';
import { reach } from './girder/reach.js';
import { settings as girderSettings } from './girder/settings.js';
import { token } from './girder/token.js';
import { workerStatus } from './girder/worker-status.js';
import { clockGirder, clockSlurm } from './host/clock.js';
import { locale } from './host/locale.js';
import { node } from './host/node.js';
import { openFiles } from './host/open-files.js';
import { shellNoise } from './host/shell-noise.js';
import { stateDirectory } from './host/state-directory.js';
import { contents } from './images/contents.js';
import { files } from './images/files.js';
import { database, open, settings as mongoSettings } from './mongo/database.js';
import { jobs } from './mongo/jobs.js';
import { ping as mongoPing } from './mongo/ping.js';
import { connect } from './rabbitmq/connect.js';
import { credentials } from './rabbitmq/credentials.js';
import { deliveryTimeout } from './rabbitmq/delivery-timeout.js';
import { forward } from './rabbitmq/forward.js';
import { local } from './rabbitmq/local.js';
import { permissions } from './rabbitmq/permissions.js';
import { queues, waiting } from './rabbitmq/queues.js';
import { transientQueues } from './rabbitmq/transient-queues.js';
import { version as rabbitmqVersion } from './rabbitmq/version.js';
import { account } from './slurm/account.js';
import { commands } from './slurm/commands.js';
import { controller } from './slurm/controller.js';
import { accounting, limits, minJobAge } from './slurm/limits.js';
import { partitions } from './slurm/partitions.js';
import { start } from './slurm/start.js';
import { submitLine } from './slurm/submit.js';
import { version as slurmVersion } from './slurm/version.js';
import { data } from './worker/data.js';
import { journal } from './worker/journal.js';
import { lastErrors } from './worker/last-errors.js';
import { running } from './worker/running.js';
import { unfinished } from './worker/unfinished.js';
import { orphans } from './worker/orphans.js';

/** Every check, in the order of the report. */
export const allChecks: readonly Check[] = [
  node,
  locale,
  shellNoise,
  openFiles,
  stateDirectory,
  clockSlurm,
  clockGirder,
  valid,
  modes,
  environment,
  deployment,
  tmpDirectory,
  logsDirectory,
  imagesDirectory,
  submitScript,
  leftovers,
  probe,
  commands,
  controller,
  slurmVersion,
  partitions,
  submitLine,
  start,
  account,
  accounting,
  minJobAge,
  limits,
  apptainerVersion,
  isolation,
  privileges,
  apptainerStart,
  pulls,
  files,
  contents,
  connect,
  rabbitmqVersion,
  permissions,
  transientQueues,
  queues,
  waiting,
  forward,
  local,
  credentials,
  deliveryTimeout,
  mongoPing,
  database,
  open,
  mongoSettings,
  jobs,
  reach,
  token,
  plugins,
  girderSettings,
  apiUrl,
  images,
  workerStatus,
  celeryPing,
  names,
  otherConsumers,
  roundTrip,
  running,
  data,
  journal,
  unfinished,
  orphans,
  lastErrors,
];

/** @throws DsaSlurmError `usage` for an unknown id */
export function checkById(id: string): Check {
  const found = allChecks.find((check) => check.id === id);
  if (found !== undefined) return found;
  throw new DsaSlurmError('usage', `There is no check ${JSON.stringify(id)}.`, {
    next: 'See: dsa-slurm doctor --list',
  });
}
