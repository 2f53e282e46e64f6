import type { GirderAccess } from './analysis.js';
import { decodeMessage } from './read-message.js';
import type { AnalysisTask } from './read-analysis.js';
import { isGirderId, readHttpUrl } from './read-fields.js';
import { isList } from '../pickle/pickled.js';
import { rejectMessage } from './reject-message.js';

/** A request to add images, made by an administrator in Girder (contract, section c, `ingest_from_docker`). */
export interface Ingest {
  /** As typed, not validated: `example/small:v1`. */
  images: readonly string[];
  /** Girder's folder for images. */
  folderId: string;
  /** With the administrator's token. */
  access: GirderAccess;
  /** Pull images even if they exist on this host. */
  pull: boolean;
}

/** Maximum number of images in one task. */
const maxImages = 200;

/**
 * Reads a task of Girder 5 that adds images.
 * @throws DsaSlurmError `message`
 */
export function readIngest({ headers, body }: AnalysisTask): Ingest {
  const { kwargs } = decodeMessage({ headers, body });
  const names = kwargs.get('name_list') ?? null;
  if (!isList(names) || names.length === 0 || names.length > maxImages) {
    return rejectMessage(`The task must name 1 to ${maxImages} images to add.`);
  }
  // names are validated one by one later: an invalid one must not prevent the others
  const images = names.map((name) =>
    typeof name === 'string'
      ? name.slice(0, 500)
      : rejectMessage('The task has an image name that is not a string.'),
  );
  const folderId = kwargs.get('folder_id') ?? null;
  if (!isGirderId(folderId)) return rejectMessage('The task does not name a folder for its images.');
  const token = kwargs.get('token') ?? null;
  if (typeof token !== 'string' || token === '')
    return rejectMessage('The task has no token for adding its images.');
  const apiUrl = readHttpUrl('The API URL of the task', headers['apiUrl'] ?? headers['girder_api_url']);
  // in Python, any non-empty string is true, even "false"
  const pull = Boolean(kwargs.get('pull') ?? false);
  return { images: [...new Set(images)], folderId: folderId.toLowerCase(), access: { apiUrl, token }, pull };
}
