import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import { createRunner, type CommandResult, type RunCommand } from '../../../src/base/command.js';
import { buildSif, type OciImage } from './oci.js';
import { installRealApptainer, type RealApptainerOptions } from './real-root.js';

/** A directory of its own and the real Apptainer, for one test file or one test. */
export interface Bench {
  dir: string;
  root: string;
  /** Path of a command `apptainer`. */
  apptainer: string;
  run: RunCommand;
  /** Builds an image as `<dir>/images/<name>.sif`. */
  sif(name: string, image: OciImage): Promise<string>;
  /** `apptainer exec` with these arguments. */
  exec(...args: string[]): Promise<CommandResult & { kind: 'exited' }>;
  close(): Promise<void>;
}

export async function openBench(options: Omit<RealApptainerOptions, 'dir'> = {}): Promise<Bench> {
  const dir = await mkdtemp(join(tmpdir(), 'dsa-apptainer-'));
  const root = inject('apptainerRoot');
  const apptainer = await installRealApptainer(root, { dir, ...options });
  const run = createRunner({ env: process.env, timeoutMs: 60_000 });
  return {
    dir,
    root,
    apptainer,
    run,
    sif: async (name, image) => buildSif({ root, apptainer }, image, join(dir, 'images', `${name}.sif`)),
    async exec(...args) {
      const result = await run(apptainer, ['exec', ...args]);
      if (result.kind !== 'exited') throw new Error(`apptainer exec: ${JSON.stringify(result)}`);
      return result;
    },
    close: async () => rm(dir, { recursive: true, force: true }),
  };
}
