import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { RunCommand } from '../../../src/base/command.js';
import type { FakeImage } from '../../../src/sandbox/images.js';

/** Its name in the fake registry. */
export const rigImage = 'rig/analyses:v1';

const programFile = fileURLToPath(new URL('program.mjs', import.meta.url));

/** The XML of each CLI, by name. */
export async function specifications(run: RunCommand): Promise<Record<string, string>> {
  const ask = async (...args: string[]) => {
    const answer = await run(process.execPath, [programFile, ...args]);
    return answer.kind === 'exited' ? answer.stdout : '';
  };
  const names = Object.keys(JSON.parse(await ask('--list_cli')) as Record<string, unknown>);
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await ask(name, '--xml')] as const)),
  );
}

/** Analyses that show what reached them: an image as slicer_cli_web wants it, whose program is `program.mjs`. */
export async function analysesImage(): Promise<FakeImage> {
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
