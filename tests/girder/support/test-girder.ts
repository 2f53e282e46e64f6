import { testSite } from '../../support/test-site.js';
import { inject } from 'vitest';
import type { TestGirder } from './site.js';

/** The real Girder of this test file: the one on its {@link testSite}. */
export function testGirder(): TestGirder {
  const girder = inject('girders')[testSite().amqpUrl];
  if (girder === undefined) throw new Error('no Girder was started on the site of this test file');
  return girder;
}
