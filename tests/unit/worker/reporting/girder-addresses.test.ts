import { describe, expect, test } from 'vitest';
import { mapApiUrl } from '../../../../src/girder/api/api-url.js';
import { girderAddresses } from '../../../../src/worker/reporting/girder-addresses.js';

const girder = { apiUrl: null, apiUrlMap: {} } as unknown as Parameters<typeof girderAddresses>[0];
/** As Girder publishes it for itself; its "Alternative API URL" is what only a worker can see. */
const published = 'http://girder:8080/girder/api/v1';
const here = 'https://dsa.example/api/v1';
const id = 'fafafafafafafafafa000008';
const job = `${published}/job/${id}`;

const reached = (settings: Partial<typeof girder>, headers: Record<string, unknown>, url: string): string =>
  mapApiUrl(url, girderAddresses({ ...girder, ...settings }, headers));

describe('girder.apiUrl', () => {
  test.each<[string, Record<string, unknown>]>([
    ['girder_api_url', { girder_api_url: published }],
    ['girder_api_url with a slash', { girder_api_url: `${published}/` }],
    ['apiUrl, of a job that Girder scheduled', { apiUrl: published }],
    ['the address of its job alone', { jobInfoSpec: { url: job } }],
  ])('replaces the address that a message names in %s', (_, headers) => {
    expect(reached({ apiUrl: here }, headers, job)).toBe(`${here}/job/${id}`);
    expect(reached({ apiUrl: here }, headers, `${published}/`)).toBe(`${here}/`);
    expect(reached({ apiUrl: here }, headers, 'http://girder:8080/elsewhere')).toBe(
      'http://girder:8080/elsewhere',
    );
  });

  test('changes nothing if it is not set', () => {
    expect(reached({}, { girder_api_url: published, jobInfoSpec: { url: job } }, job)).toBe(job);
  });

  test.each([null, 7, '', 'no url', { url: 5 }, { url: 'http://x/job' }, []])('ignores %j', (odd) => {
    const headers = { girder_api_url: odd, apiUrl: odd, jobInfoSpec: odd };
    expect(reached({ apiUrl: here }, headers, job)).toBe(job);
  });
});

test('girder.apiUrlMap replaces prefixes, and combines with girder.apiUrl', () => {
  const apiUrlMap = { 'http://girder:8080': 'http://localhost:8080' };
  expect(reached({ apiUrlMap }, {}, job)).toBe(`http://localhost:8080/girder/api/v1/job/${id}`);
  const both = { apiUrlMap: { ...apiUrlMap, 'http://files:9000': 'http://localhost:9000' }, apiUrl: here };
  expect(reached(both, { girder_api_url: published }, job)).toBe(`${here}/job/${id}`);
  // what no message names is still at its mapped place
  expect(reached(both, { girder_api_url: published }, 'http://files:9000/x')).toBe('http://localhost:9000/x');
});
