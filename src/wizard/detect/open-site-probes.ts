import { dirname } from 'node:path';
import * as z from 'zod';
import { createApptainer } from '../../apptainer/inspect.js';
import { systemClock } from '../../base/clock.js';
import { describeFailure, type RunCommand } from '../../base/command.js';
import { makeDirectory } from '../../base/files/make-directory.js';
import { DsaSlurmError, errorLine } from '../../base/errors.js';
import { silentLog } from '../../base/log.js';
import { siteDefaults } from '../../config/catalog.js';
import { untrustedBroker, withBroker } from '../../doctor/clients/broker.js';
import { listens, openAddress } from '../../doctor/clients/listens.js';
import { loginWithApiKey } from '../../girder/api/api-key.js';
import { createGirderClient, type GirderClient } from '../../girder/api/client.js';
import { openGirderConnections } from '../../girder/api/connections.js';
import { readAnswer } from '../flow/partial-answers.js';
import { inspectDirectory } from '../validate/inspect-directory.js';
import { pingMongo } from '../validate/ping-mongo.js';
import type { SiteProbes } from './site-probes.js';

const connectMs = 6_000;

/** The {@link SiteProbes} of the real site. */
export function openSiteProbes({ run }: { run: RunCommand }): SiteProbes {
  return {
    listens: (host, port) => listens(host, port),
    broker: {
      check: checkBroker,
      untrusted: untrustedBroker,
      openAddress: (host, port) => openAddress(host, port, connectTimeout()),
    },
    girder: { version: girderVersion, login: girderLogin, as: withGirder },
    mongo: { ping: pingMongo },
    slurm: {
      async test(answers) {
        // --test-only submits nothing; --wrap avoids a script file
        const args = ['--test-only', '--wrap=true', ...resourceFlags(answers)];
        const answer = await run('sbatch', args, { timeoutMs: 20_000 });
        if (answer.kind === 'exited' && answer.exitCode === 0) return null;
        const message = describeFailure(answer).replace(/^exited with \d+: /, '');
        return message.replaceAll(/(?:allocation failure|sbatch: error): /g, '').replaceAll('\n', ' ');
      },
    },
    directories: {
      inspect: inspectDirectory,
      async create(path) {
        try {
          // others pass through the parents, which may be shared by several groups
          await makeDirectory(dirname(path), 0o755);
          await makeDirectory(path, 0o750);
        } catch (thrown) {
          throw new DsaSlurmError('files', `${path} cannot be created: ${errorLine(thrown)}.`, {
            next: 'Choose a directory that you can write to.',
            cause: thrown,
          });
        }
      },
    },
    apptainer: async (command) => (await createApptainer({ run, command }).version())?.version ?? null,
  };
}

/** The sbatch flags of these answers. */
function resourceFlags(answers: Parameters<SiteProbes['slurm']['test']>[0]): string[] {
  return siteDefaults.flatMap(({ setting, option }) => {
    const value = readAnswer({ slurm: answers }, setting.key) ?? null;
    return value === null ? [] : [`--${option}=${value}`];
  });
}

async function checkBroker(url: string, caFile: string | null): Promise<{ version: string }> {
  return withBroker({ url, caFile, signal: connectTimeout(), clock: systemClock }, ({ connection }) => {
    const properties: unknown = (connection as { serverProperties?: unknown }).serverProperties;
    const version = (properties as { version?: unknown } | undefined)?.version;
    return Promise.resolve({ version: typeof version === 'string' ? version : 'of unknown version' });
  });
}

async function withGirder<T>(
  { apiUrl, token, caFile }: { apiUrl: string; token: string | null; caFile: string | null },
  use: (client: GirderClient) => Promise<T>,
): Promise<T> {
  const connections = await openGirderConnections({ caFile });
  try {
    return await use(
      createGirderClient({ apiUrl, token, connections, apiUrlMap: {}, clock: systemClock, log: silentLog() }),
    );
  } finally {
    await connections.close();
  }
}

const version = z.object({ release: z.string() });

async function girderVersion(
  apiUrl: string,
  caFile: string | null,
): Promise<{ version: string; major: 3 | 5 }> {
  return withGirder({ apiUrl, token: null, caFile }, async (client) => {
    const request = { method: 'GET', path: 'system/version', attempts: 1, signal: connectTimeout() };
    const { release } = await client.json(version, request);
    const major = Number.parseInt(release, 10);
    if (Number.isNaN(major)) {
      throw new DsaSlurmError(
        'girder',
        `Girder reports the version ${JSON.stringify(release.slice(0, 40))}, which is not supported.`,
        {
          next: 'Check the address, which must end in /api/v1.',
        },
      );
    }
    return { version: release, major: major >= 4 ? 5 : 3 };
  });
}

const me = z.object({ login: z.string(), admin: z.boolean().default(false) });

async function girderLogin(
  apiUrl: string,
  apiKey: string,
  caFile: string | null,
): Promise<{ token: string; login: string; isAdmin: boolean }> {
  const { token } = await withGirder({ apiUrl, token: null, caFile }, async (client) => {
    try {
      return await loginWithApiKey(client, { apiKey, days: 1, signal: connectTimeout() });
    } catch (thrown) {
      throw new DsaSlurmError('girder', `Girder rejects this API key: ${errorLine(thrown)}`, {
        next: 'Create one in Girder, as an administrator: My account, API keys.',
        cause: thrown,
      });
    }
  });
  return withGirder({ apiUrl, token, caFile }, async (client) => {
    const user = await client.json(me, {
      method: 'GET',
      path: 'user/me',
      attempts: 1,
      signal: connectTimeout(),
    });
    return { token, login: user.login, isAdmin: user.admin };
  });
}

function connectTimeout(): AbortSignal {
  return AbortSignal.timeout(connectMs);
}
