import * as z from 'zod';

import type { Clock } from '../../base/clock.js';
import { DsaSlurmError } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import type { Settings } from '../../config/schema.js';
import { openGirderConnections } from '../../girder/api/connections.js';
import { createAdminClient } from '../../girder/api/admin-client.js';
import { registerImage, type ImageRegistration } from '../../girder/jobs/register-image.js';

/** slicer_cli_web's setting for the folder that contains images. */
const folderSetting = 'slicer_cli_web.task_folder';

/**
 * Registers an image in Girder with `girder.apiKey`, in the folder that Girder's page of images uses.
 * @throws DsaSlurmError `girder`
 */
export async function registerWithKey(
  registration: Omit<ImageRegistration, 'folderId'>,
  { girder, clock, log, signal }: { girder: Settings['girder']; clock: Clock; log: Log; signal: AbortSignal },
): Promise<void> {
  const { apiKey, apiUrl, apiUrlMap } = girder;
  if (apiKey === null || apiUrl === null)
    throw new Error('registering an image requires girder.apiKey and girder.apiUrl');
  const connections = await openGirderConnections(girder);
  try {
    const client = createAdminClient({ connections, apiUrl, apiKey, apiUrlMap, clock, log });
    const folderId = await client.json(z.string().nullable(), {
      method: 'GET',
      path: 'system/setting',
      query: { key: folderSetting },
      signal,
    });
    if (folderId === null || folderId === '') {
      throw new DsaSlurmError('girder', 'Girder has no folder for images.', {
        next: 'Choose one as "Default task upload folder" in the settings of the plugin Slicer CLI Web.',
      });
    }
    await registerImage(client, { folderId, ...registration }, signal);
  } finally {
    await connections.close();
  }
}
