import { silentLog } from '../../base/log.js';
import { createGirderClient, type GirderClient } from '../../girder/api/client.js';
import { openGirderConnections } from '../../girder/api/connections.js';
import type { CheckContext } from '../check.js';

/** Runs `use` with a client of its own. */
export async function withGirder<T>(
  { settings, clock }: Pick<CheckContext, 'settings' | 'clock'>,
  { apiUrl, token }: { apiUrl: string; token: string | null },
  use: (client: GirderClient) => Promise<T>,
): Promise<T> {
  const connections = await openGirderConnections(settings.girder);
  try {
    const { apiUrlMap } = settings.girder;
    return await use(createGirderClient({ connections, apiUrlMap, clock, log: silentLog(), apiUrl, token }));
  } finally {
    await connections.close();
  }
}
