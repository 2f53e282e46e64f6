import { afterEach, describe, expect, test } from 'vitest';

import { expectStatus, openLab, status, type Lab } from '../../support/lab.js';

let lab: Lab;

afterEach(async () => {
  await lab.close();
});

describe('limits', () => {
  test('no more runs are in flight than allowed, and all are run in the end', async () => {
    lab = await openLab({ 'worker.inFlight': 2 });
    let most = 0;
    const stop = lab.worker.handle.subscribe(() => {
      most = Math.max(most, lab.worker.handle.snapshot().health.inFlight);
    });
    const jobs = await Promise.all(
      Array.from({ length: 5 }, async () => lab.publish({ args: ['Wait', '/etc/hostname'] })),
    );
    for (const job of jobs) expectStatus(await lab.ended(job), status.success);
    stop();
    expect(most).toBe(2);
  });
});
