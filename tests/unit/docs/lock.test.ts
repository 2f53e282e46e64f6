import { expect, test } from 'vitest';
import { textOf } from '../../support/doc-entries.js';

test('package-lock.json makes no old npm leave out packages (npm run lock)', () => {
  const { packages } = JSON.parse(textOf('package-lock.json')) as {
    packages: Record<string, { engines?: Record<string, string> }>;
  };
  const entries = Object.entries(packages).filter(([path]) => path !== '');
  expect(entries.length).toBeGreaterThan(200);
  expect(entries.filter(([, { engines }]) => engines !== undefined).map(([path]) => path)).toEqual([]);
});
