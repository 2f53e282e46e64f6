import type { Settings } from '../config/schema.js';
import type { ApiUrlMap } from '../girder/api-url.js';

/**
 * Where the addresses that a message carries are reached from here: `girder.apiUrlMap`, and the worker's own address for
 * Girder wherever the message mentions the published one.
 */
export function girderAddresses(
  { apiUrl, apiUrlMap }: Settings['girder'],
  headers: Readonly<Record<string, unknown>>,
): ApiUrlMap {
  const published = headers['girder_api_url'];
  return apiUrl !== null && typeof published === 'string' ? { ...apiUrlMap, [published]: apiUrl } : apiUrlMap;
}
