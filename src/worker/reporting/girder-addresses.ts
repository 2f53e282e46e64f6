import type { Settings } from '../../config/schema.js';
import type { ApiUrlMap } from '../../girder/api/api-url.js';

/**
 * Maps the Girder addresses in a message to addresses that this host can reach: `girder.apiUrlMap`, plus `girder.apiUrl`
 * for each published API URL in the headers and in the URL of the Girder job.
 */
export function girderAddresses(
  { apiUrl, apiUrlMap }: Settings['girder'],
  headers: Readonly<Record<string, unknown>>,
): ApiUrlMap {
  if (apiUrl === null) return apiUrlMap;
  const candidates = [headers['girder_api_url'], headers['apiUrl'], apiUrlOfJob(headers['jobInfoSpec'])];
  const published = candidates.filter((each): each is string => typeof each === 'string' && each !== '');
  return { ...apiUrlMap, ...Object.fromEntries(published.map((each) => [each, apiUrl])) };
}

/** The API URL in the address of a Girder job (contract, section b). */
function apiUrlOfJob(spec: unknown): string | null {
  const url = typeof spec === 'object' && spec !== null && 'url' in spec ? spec.url : null;
  return typeof url === 'string' ? (/^(https?:\/\/.+)\/job\/[^/]+$/.exec(url)?.[1] ?? null) : null;
}
