import { describe, expect, it } from 'vitest';
import {
  createGirderSlurmLoader,
  loadPatienceMs,
} from '../../../../src/worker/job-request/girder-slurm-loader.js';
import { sendJson } from '../../../support/scripted-http.js';
import { someSettings } from '../../../support/settings.js';
import { setUp } from '../../girder/girder-bench.js';

const apiKey = 'k'.repeat(40);
const never = new AbortController().signal;

/** A Girder of which a test says what it has, and whether it answers. */
async function bench() {
  const girder = { mem: '1G' as unknown, status: 200, tokens: 0, valid: 'T1' };
  const { origin, heard, setup } = await setUp((response, { method, path, headers }) => {
    if (girder.status !== 200) return sendJson(response, { type: 'rest', message: 'No.' }, girder.status);
    if (method === 'POST' && path === '/api/v1/api_key/token') {
      girder.tokens += 1;
      return sendJson(response, { authToken: { token: girder.valid, scope: [] } });
    }
    if (headers['girder-token'] !== girder.valid)
      return sendJson(response, { type: 'access', message: 'Who?' }, 401);
    return sendJson(response, { 'worker_slurm.mem': girder.mem, 'worker_slurm.qos': null });
  });
  const time = { now: 1_000_000, slept: 0, isBackAfter: 0 };
  const source = createGirderSlurmLoader({
    ...setup,
    clock: {
      now: () => time.now,
      monotonic: () => time.now,
      async sleep(ms) {
        time.now += ms;
        time.slept += ms;
        // Girder is back while the worker waits
        if (time.slept > time.isBackAfter) girder.status = 200;
      },
    },
    girder: { ...someSettings().girder, apiKey, apiUrl: `${origin}/api/v1` },
  });
  return { girder, heard, source, time };
}

describe("Girder's settings for Slurm", () => {
  it('are read once for concurrent callers, and again when they are outdated', async () => {
    const { girder, heard, source, time } = await bench();
    const first = await Promise.all([source.current(never), source.current(never)]);
    expect(first.map((settings) => settings?.mem)).toEqual(['1G', '1G']);
    expect(heard.map(({ method }) => method)).toEqual(['POST', 'GET']);
    expect(heard.find(({ method }) => method === 'GET')?.query.get('list')).toContain(
      'worker_slurm.gpu_partition',
    );
    girder.mem = '2G';
    time.now += 60_000;
    expect((await source.current(never))?.mem).toBe('1G');
    time.now += 300_000;
    expect((await source.current(never))?.mem).toBe('2G');
    expect(girder.tokens).toBe(1);
    expect(source.problem()).toBeNull();
  });

  it('stay the same while Girder does not answer, which is reported', async () => {
    const { girder, heard, source, time } = await bench();
    await source.current(never);
    girder.status = 503;
    time.now += 300_000;
    expect((await source.current(never))?.mem).toBe('1G');
    expect(source.problem()).toContain('The last known ones are used.');
    const asked = heard.length;
    expect((await source.current(never))?.mem).toBe('1G');
    expect(heard.length).toBe(asked);
    girder.status = 200;
    time.now += 30_000;
    await source.current(never);
    expect(source.problem()).toBeNull();
  });

  it('are waited for if Girder never answered, and not if it refuses', async () => {
    const silent = await bench();
    silent.girder.status = 503;
    expect((await silent.source.current(never))?.mem).toBe('1G');
    expect(silent.time.slept).toBe(30_000);

    const refusing = await bench();
    refusing.girder.status = 401;
    expect(await refusing.source.current(never)).toBeNull();
    expect(refusing.source.problem()).toContain("The profile's own settings are used.");
    expect(refusing.source.problem()).not.toContain(apiKey);
    expect(refusing.time.slept).toBe(0);
  });

  it('delay no job forever if Girder never answers', async () => {
    const { girder, source, time, heard } = await bench();
    girder.status = 503;
    time.isBackAfter = Infinity;
    const waiting = source.current(never);
    expect(await waiting).toBeNull();
    expect(time.slept).toBe(loadPatienceMs);
    expect(source.problem()).toContain("The profile's own settings are used.");
    const asked = heard.length;
    expect(await source.current(never)).toBeNull();
    expect([time.slept, heard.length]).toEqual([loadPatienceMs, asked]);
    // it is asked again later, and counts as soon as it answers
    girder.status = 200;
    time.now += 60_000;
    expect((await source.current(never))?.mem).toBe('1G');
    expect(source.problem()).toBeNull();
  });

  it('are read again with a new token after it has expired', async () => {
    const { girder, source, time } = await bench();
    await source.current(never);
    girder.valid = 'T2';
    girder.mem = '4G';
    time.now += 300_000;
    expect((await source.current(never))?.mem).toBe('4G');
    expect(girder.tokens).toBe(2);
  });

  it('are not requested without a key, and invalid values are reported', async () => {
    const { girder, heard, source } = await bench();
    girder.mem = '--wrap';
    expect((await source.current(never))?.mem).toBeNull();
    expect(source.problem()).toContain('worker_slurm.mem is ignored');
    const asked = heard.length;
    const { setup } = await setUp(() => undefined);
    const none = createGirderSlurmLoader({ ...setup, girder: someSettings().girder });
    expect(await none.current(never)).toBeNull();
    expect(await none.refresh()).toBeNull();
    expect(heard.length).toBe(asked);
  });
});
