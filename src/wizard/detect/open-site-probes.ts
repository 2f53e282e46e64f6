import { mkdir } from 'node:fs/promises';
import * as z from 'zod';
import { createApptainer } from '../../apptainer/inspect.js';
import { systemClock } from '../../base/clock.js';
import { describeFailure, type RunCommand } from '../../base/command.js';
import { DsaSlurmError, errorLine } from '../../base/errors.js';
import { silentLog } from '../../base/log.js';
import { siteDefaults } from '../../config/catalog.js';
import { untrustedBroker, withBroker } from '../../doctor/clients/broker.js';
import { listens, openAddress } from '../../doctor/clients/listens.js';
import { loginWithApiKey } from '../../girder/api/api-key.js';
import { createGirderClient, type GirderClient } from '../../girder/api/client.js';
import { openGirderConnections } from '../../girder/api/connections.js';
import { readAnswer } from '../flow/partial-answers.js';
import { lookAtDirectory } from '../validate/inspect-directory.js';
import { pingMongo } from '../validate/ping-mongo.js';
import type { Doors } from './site-probes.js';

const connectMs = 6_000;

/** The {@link Doors} to the real site. */
export function openDoors({ run }: { run: RunCommand }): Doors {
  return {
    listens: (host, port) => listens(host, port),
    broker: {
      check: checkBroker,
      untrusted: untrustedBroker,
      openAddress: (host, port) => openAddress(host, port, soon()),
    },
    girder: { version: girderVersion, login: girderLogin, as: withGirder },
    mongo: { ping: pingMongo },
    slurm: {
      async test(wanted) {
        // `--wrap` needs no file; nothing is submitted
        const args = ['--test-only', '--wrap=true', ...resourceFlags(wanted)];
        const answer = await run('sbatch', args, { timeoutMs: 20_000 });
        if (answer.kind === 'exited' && answer.exitCode === 0) return null;
        const said = describeFailure(answer).replace(/^exited with \d+: /, '');
        return said.replaceAll(/(?:allocation failure|sbatch: error): /g, '').replaceAll('\n', ' ');
      },
    },
    directories: {
      look: lookAtDirectory,
      async make(path) {
        try {
          await mkdir(path, { recursive: true, mode: 0o750 });
        } catch (thrown) {
          throw new DsaSlurmError('files', `${path} cannot be made: ${errorLine(thrown)}.`, {
            next: 'Name a directory that you may write to.',
            cause: thrown,
          });
        }
      },
    },
    apptainer: async (command) => (await createApptainer({ run, command }).version())?.version ?? null,
  };
}

/** The flags of sbatch for what every job asks for. */
export function resourceFlags(wanted: Parameters<Doors['slurm']['test']>[0]): string[] {
  return siteDefaults.flatMap(({ setting, option }) => {
    const value = readAnswer({ slurm: wanted }, setting.key) ?? null;
    return value === null ? [] : [`--${option}=${value}`];
  });
}

async function checkBroker(url: string, caFile: string | null): Promise<{ version: string }> {
  return withBroker({ url, caFile, signal: soon(), clock: systemClock }, ({ connection }) => {
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
    const request = { method: 'GET', path: 'system/version', attempts: 1, signal: soon() };
    const { release } = await client.json(version, request);
    const major = Number.parseInt(release, 10);
    if (Number.isNaN(major)) {
      throw new DsaSlurmError('girder', `Girder calls its version ${JSON.stringify(release.slice(0, 40))}.`, {
        next: 'Check the address: it ends in /api/v1.',
      });
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
      return await loginWithApiKey(client, { apiKey, days: 1, signal: soon() });
    } catch (thrown) {
      throw new DsaSlurmError('girder', `Girder does not take this API key: ${errorLine(thrown)}`, {
        next: 'Make one in Girder: My account, API keys. It needs the rights of an administrator.',
        cause: thrown,
      });
    }
  });
  return withGirder({ apiUrl, token, caFile }, async (client) => {
    const user = await client.json(me, { method: 'GET', path: 'user/me', attempts: 1, signal: soon() });
    return { token, login: user.login, isAdmin: user.admin };
  });
}

function soon(): AbortSignal {
  return AbortSignal.timeout(connectMs);
}
