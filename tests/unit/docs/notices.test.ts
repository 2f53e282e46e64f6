import { describe, expect, it } from 'vitest';
import { textOf } from '../../support/doc-entries.js';

interface Lock {
  packages: Record<
    string,
    { version: string; dev?: boolean; devOptional?: boolean; optional?: boolean; integrity: string }
  >;
}

/** What is bundled, or installed beside the program. */
const shipped = Object.entries((JSON.parse(textOf('package-lock.json')) as Lock).packages).filter(
  ([path, { dev, devOptional, optional }]) =>
    path !== '' && dev !== true && devOptional !== true && optional !== true,
);

const nameOf = (path: string): string =>
  path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);

describe('of package-lock.json (else: npm run notices)', () => {
  it('THIRD-PARTY-NOTICES.txt names every package that is shipped', () => {
    const notices = textOf('THIRD-PARTY-NOTICES.txt');
    const missing = shipped.filter(
      ([path, { version }]) => !notices.includes(`\n${nameOf(path)} ${version}\nLicense: `),
    );
    expect(missing.map(([path]) => path)).toEqual([]);
    expect(shipped.length).toBeGreaterThan(50);
  });

  it('sbom.cdx.json has every package that is shipped, with the checksum of the lock', () => {
    const { bomFormat, components } = JSON.parse(textOf('sbom.cdx.json')) as {
      bomFormat: string;
      components: { 'bom-ref': string; version: string; hashes: { content: string }[] }[];
    };
    expect(bomFormat).toBe('CycloneDX');
    const found = new Map(components.map((each) => [each['bom-ref'], each]));
    for (const [path, { version, integrity }] of shipped) {
      const sha = Buffer.from(integrity.replace('sha512-', ''), 'base64').toString('hex');
      expect(found.get(path), path).toMatchObject({ version, hashes: [{ content: sha }] });
    }
  });
});
