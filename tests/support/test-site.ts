import { inject } from 'vitest';
import type { TestSite } from './global-setup.js';

/**
 * The RabbitMQ and the Slurm of this test file. Files that run at the same time each have their own,
 * because otherwise they would answer each other's broadcasts and fill each other's cluster.
 */
export function testSite(): TestSite {
  const sites = inject('sites');
  // Vitest numbers the processes that run side by side from 1
  const site = sites[(Number(process.env['VITEST_POOL_ID']) - 1) % sites.length];
  if (site === undefined) throw new Error('vitest does not say which of its processes this is');
  return site;
}
