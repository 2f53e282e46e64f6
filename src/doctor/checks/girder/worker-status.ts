import * as z from 'zod';
import { GirderError } from '../../../girder/api/girder-error.js';
import type { Check, Finding } from '../../check.js';
import { fail, ok, skip, warn } from '../../check-result.js';
import { withGirder } from '../../clients/girder.js';

/** Answer of Girder's plugin "worker" for its status page: `-1` if it cannot reach its broker (Girder 3 and 5). */
const answer = z.union([z.literal(-1), z.object({ ping: z.record(z.string(), z.unknown()).nullish() })]);

export type WorkerStatus = z.infer<typeof answer>;

/** @param name of this worker */
export function judgeWorkerStatus(status: WorkerStatus, name: string, major: number): Finding {
  const setting = major === 5 ? 'GIRDER_WORKER_BROKER in its environment' : 'its setting worker.broker';
  if (status === -1) {
    return fail(
      'Girder cannot reach its broker: started analyses do not reach any worker.',
      `Correct ${setting}, then restart Girder.`,
    );
  }
  const nodes = Object.keys(status.ping ?? {});
  if (nodes.includes(name)) return ok(`Girder sees ${name} through its broker`);
  const seen =
    nodes.length === 0 ? 'Girder sees no worker' : `Girder sees ${nodes.join(', ')}, but not ${name}`;
  return warn(
    `${seen} through its broker.`,
    `Check that the worker is running, and compare broker.url with ${setting}.`,
  );
}

/** Tests the whole path: Girder, its broker, the worker, and back. It takes Girder some seconds. */
export const workerStatus: Check = {
  id: 'girder.worker-status',
  group: 'girder',
  title: "Girder's messages reach the worker",
  needs: ['girder.token'],
  deep: true,
  timeoutMs: 30_000,
  async run(context) {
    const { settings, needed, signal } = context;
    const admin = needed('girder.token');
    if (admin.isLimited) return skip('the API key has a limited scope');
    try {
      const status = await withGirder(context, admin, async (client) =>
        client.json(answer, { method: 'GET', path: 'worker/status', attempts: 1, answerMs: 25_000, signal }),
      );
      return judgeWorkerStatus(status, settings.worker.name, admin.major);
    } catch (thrown) {
      if (!(thrown instanceof GirderError)) throw thrown;
      return warn(thrown.message, 'Check that the plugin "worker" is installed in Girder.');
    }
  },
};
