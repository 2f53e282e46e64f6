import type { GirderAccess } from './analysis.js';
import { decodeMessage } from './read-message.js';
import type { AnalysisTask } from './read-analysis.js';
import { isGirderId, readHttpUrl } from './read-fields.js';
import { isList } from '../pickle/pickled.js';
import { rejectMessage } from './reject-message.js';

/** What an administrator asked for on Girder's page of images (contract, section c, `ingest_from_docker`). */
export interface Ingest {
  /** As they were typed: `example/small:v1`, or anything. */
  images: readonly string[];
  /** Where Girder keeps its images. */
  folderId: string;
  /** As the administrator. */
  access: GirderAccess;
  /** Also where the image is here already. */
  pull: boolean;
}

/** Images of one task. */
const most = 200;

/**
 * Reads a task of Girder 5 that adds images. Nothing is contacted.
 * @throws DsaSlurmError `message`
 */
export function readIngest({ headers, body }: AnalysisTask): Ingest {
  const { kwargs } = decodeMessage({ headers, body });
  const names = kwargs.get('name_list') ?? null;
  if (!isList(names) || names.length === 0 || names.length > most) {
    return rejectMessage('The task names no images to add, or far too many.');
  }
  // whether each can be an image is seen when its turn comes: one bad name must not keep the others away
  const images = names.map((name) =>
    typeof name === 'string'
      ? name.slice(0, 500)
      : rejectMessage('The task names an image by something that is no text.'),
  );
  const folderId = kwargs.get('folder_id') ?? null;
  if (!isGirderId(folderId)) return rejectMessage('The task names no folder for its images.');
  const token = kwargs.get('token') ?? null;
  if (typeof token !== 'string' || token === '')
    return rejectMessage('The task has no token for adding its images.');
  const apiUrl = readHttpUrl('The API URL of the task', headers['apiUrl'] ?? headers['girder_api_url']);
  // Python takes any text that is not empty for true, even "false"
  const pull = Boolean(kwargs.get('pull') ?? false);
  return { images: [...new Set(images)], folderId: folderId.toLowerCase(), access: { apiUrl, token }, pull };
}
