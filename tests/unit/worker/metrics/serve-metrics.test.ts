import { mkdtemp, rm, stat } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { findSetting } from '../../../../src/config/index.js';
import { serveMetrics } from '../../../../src/worker/metrics/serve-metrics.js';

async function read(
  socketPath: string,
  path: string,
): Promise<{ status: number | undefined; type: string; text: string }> {
  return new Promise((resolve, reject) => {
    get({ socketPath, path }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.on('end', () =>
        resolve({ status: response.statusCode, type: response.headers['content-type'] ?? '', text }),
      );
    }).on('error', reject);
  });
}

test('a Unix socket that only this user can reach, also where a killed worker left one', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'dsa-metrics-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const path = join(directory, 'metrics.sock');
  const first = await serveMetrics(path, () => '# EOF\n');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  const stop = await serveMetrics(path, () => 'dsa 1\n# EOF\n');
  onTestFinished(stop);
  expect(await read(path, '/metrics')).toEqual({
    status: 200,
    type: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
    text: 'dsa 1\n# EOF\n',
  });
  expect((await read(path, '/')).status).toBe(404);
  await first();
});

test('an address that cannot be used is an error of the configuration', async () => {
  await expect(serveMetrics('/nonexistent/metrics.sock', () => '')).rejects.toMatchObject({ code: 'config' });
});

test.each([
  ['127.0.0.1:9464', true],
  ['[::1]:9464', true],
  ['localhost:9464', true],
  ['/run/dsa.sock', true],
  ['0.0.0.0:9464', false],
  ['[::]:9464', false],
  ['10.1.2.3:9464', false],
  ['login1:9464', false],
  ['9464', false],
])('metrics.listen: %s is allowed: %s', (value, isAllowed) => {
  expect(findSetting('metrics.listen')?.type.safeParse(value).success).toBe(isAllowed);
});
