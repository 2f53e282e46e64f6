import * as z from 'zod';
import { GirderError } from '../../../girder/api/girder-error.js';
import type { Check, CheckContext } from '../../check.js';
import { combine, fail, ok, skip } from '../../check-result.js';
import { withGirder } from '../../clients/girder.js';
import type { GirderAdmin } from './token.js';

/** A route of each plugin. */
const routes = [
  ['jobs', 'job/typeandstatus'],
  ['slicer_cli_web', 'slicer_cli_web/cli'],
] as const;

export const plugins: Check = {
  id: 'girder.plugins',
  group: 'girder',
  title: 'plugins',
  needs: ['girder.token'],
  async run(context) {
    const admin = context.needed('girder.token');
    if (admin.isLimited) return skip('the API key has a limited scope');
    return combine(await Promise.all(routes.map(([name, path]) => ask(name, path, admin, context))));
  },
};

async function ask(name: string, path: string, admin: GirderAdmin, context: CheckContext) {
  try {
    await withGirder(context, admin, async (client) =>
      client.json(z.unknown(), {
        method: 'GET',
        path,
        query: { limit: 1 },
        attempts: 1,
        signal: context.signal,
      }),
    );
    return ok(`${name} is installed`);
  } catch (thrown) {
    if (!(thrown instanceof GirderError) || !/matching route/i.test(thrown.girderMessage ?? '')) throw thrown;
    const install = name === 'jobs' ? 'girder-jobs' : 'girder-slicer-cli-web[girder]';
    return fail(
      `Girder lacks the plugin ${name}.`,
      `pip install '${install}' && girder build   # in Girder's environment, then restart it`,
    );
  }
}
