import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { catalog } from '../../../src/config/catalog.js';
import { configurationPage, profileJsonSchema } from '../../../src/config/docs.js';

const committed = (path: string): string =>
  readFileSync(new URL(`../../../docs/${path}`, import.meta.url), 'utf8');
/** The formatter pads tables. */
const unpadded = (page: string): string => page.replaceAll(/ +/g, ' ').replaceAll(/-{3,}/g, '---');

describe('generated documentation is current (else: npm run build && node scripts/generate-docs.mjs)', () => {
  it('docs/configuration.md', () => {
    expect(unpadded(committed('configuration.md'))).toBe(unpadded(configurationPage()));
  });

  it('docs/config.schema.json', () => {
    expect(JSON.parse(committed('config.schema.json'))).toEqual(profileJsonSchema());
  });
});

it('the page contains every setting and every environment variable', () => {
  const page = configurationPage();
  const words = catalog.flatMap(({ key, env }) => [key, ...env]);
  expect(words.filter((word) => !page.includes(`\`${word}\``))).toEqual([]);
});

it('in the schema every setting is optional and unknown ones are rejected', () => {
  const schema = JSON.stringify(profileJsonSchema());
  expect(schema).not.toContain('"required"');
  expect(schema.match(/"additionalProperties":false/g)).toHaveLength(
    // the groups, the whole, a rule of slurm.rules, and an exception of apptainer.isolationExceptions
    new Set(catalog.map(({ group }) => group)).size + 3,
  );
});
