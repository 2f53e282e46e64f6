import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { RunCommand } from '../../../src/base/command.js';
import type { FakeImage } from '../../../src/sandbox/images.js';

/** An image of analyses that a rig registers in Girder. */
export interface RigImage {
  /** In the fake registry. */
  name: string;
  content(): Promise<FakeImage>;
  /** The XML of each CLI, by name; only Girder 3 needs it. */
  specifications?(run: RunCommand): Promise<Record<string, string>>;
}

const programFile = fileURLToPath(new URL('program.mjs', import.meta.url));

/** Analyses that show what reached them: an image as slicer_cli_web wants it, whose program is `program.mjs`. */
export const analyses: RigImage = { name: 'rig/analyses:v1', content, specifications };

async function specifications(run: RunCommand): Promise<Record<string, string>> {
  const ask = async (...args: string[]) => {
    const answer = await run(process.execPath, [programFile, ...args]);
    return answer.kind === 'exited' ? answer.stdout : '';
  };
  const names = Object.keys(JSON.parse(await ask('--list_cli')) as Record<string, unknown>);
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await ask(name, '--xml')] as const)),
  );
}

async function content(): Promise<FakeImage> {
  const base = '/opt/rig';
  const program = await readFile(programFile, 'utf8');
  return {
    labels: { entry_path: base, 'org.opencontainers.image.title': 'rig' },
    config: { WorkingDir: base, Entrypoint: ['/bin/sh', './docker-entrypoint.sh'] },
    files: {
      [`${base}/docker-entrypoint.sh`]: {
        text: '#!/bin/sh\nexec node "${0%/*}/program.mjs" "$@"\n',
        executable: true,
      },
      [`${base}/program.mjs`]: { text: program, executable: false },
    },
  };
}
