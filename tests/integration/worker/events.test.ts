import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openLab, type Lab } from '../../support/lab.js';
import { testSite } from '../../support/test-site.js';

let lab: Lab;

beforeAll(async () => {
  lab = await openLab();
});

afterAll(async () => {
  lab.girder.fail();
  await lab.close();
});

interface Seen {
  type: string;
  alive: boolean;
  tasks: Record<
    string,
    { name: string | null; state: string; received: number | null; exception: string | null }
  >;
}

test('Flower shows the worker and its tasks correctly', async () => {
  const seen: Seen[] = [];
  const flower = execa('/usr/bin/python3', [`${import.meta.dirname}/../celery/flower.py`], {
    stdin: 'pipe',
    reject: false,
  });
  const node = lab.settings.worker.name;
  flower.stdin.write(`${JSON.stringify({ url: testSite().amqpUrl, node })}\n`);
  createInterface({ input: flower.stdout }).on('line', (line) => seen.push(JSON.parse(line) as Seen));
  const last = () => seen.at(-1);
  const stateOf = (id: string | null) => last()?.tasks[id ?? '']?.state;
  try {
    await lab.until(() => last()?.alive === true && seen.some(({ type }) => type === 'worker-heartbeat'));

    const results = lab.girder.addFolder(lab.girder.rootFolderId, 'results');
    const good = await lab.publish({ args: ['Show', { output: 'o', toFolder: results.id }, 'hello'] });
    const bad = await lab.publish({ args: ['Fail'] });
    const long = await lab.publish({ args: ['Wait', '/never'] });
    await lab.until(() => stateOf(long.celeryTaskId) === 'STARTED', 60_000);
    const { runs } = lab.worker.handle.snapshot();
    expect(runs.find(({ id }) => id === long.celeryTaskId)?.stage).toBe('running');
    await lab.producer.revoke([long.celeryTaskId ?? '']);

    await lab.until(() => {
      const states = [good, bad, long].map(({ celeryTaskId }) => stateOf(celeryTaskId) ?? '');
      return states.every((state) => ['SUCCESS', 'FAILURE', 'REVOKED'].includes(state));
    }, 90_000);
    const now = lab.worker.handle.snapshot().runs;
    const words = { succeeded: 'SUCCESS', failed: 'FAILURE', canceled: 'REVOKED' } as const;
    for (const { celeryTaskId } of [good, bad, long]) {
      const run = now.find(({ id }) => id === celeryTaskId);
      expect(stateOf(celeryTaskId)).toBe(words[run?.outcome ?? 'failed']);
    }
    // only the event task-received carries its name and arrival
    expect(last()?.tasks[good.celeryTaskId ?? '']).toMatchObject({
      name: 'slicer_cli_web.girder_worker_plugin.direct_docker_run.run',
      received: expect.any(Number) as number,
    });
    expect(stateOf(good.celeryTaskId)).toBe('SUCCESS');
    expect(stateOf(long.celeryTaskId)).toBe('REVOKED');
    expect(stateOf(bad.celeryTaskId)).toBe('FAILURE');
    expect(last()?.tasks[bad.celeryTaskId ?? '']?.exception).toMatch(/^RuntimeError\(/);

    await lab.worker.stop();
    await lab.until(() => seen.some(({ type, alive }) => type === 'worker-offline' && !alive));
  } finally {
    flower.kill();
    await flower;
  }
});
