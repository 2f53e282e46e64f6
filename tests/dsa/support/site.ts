import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { createRunner, describeFailure, type RunCommand } from '../../../src/base/command.js';
import { errorLine } from '../../../src/base/errors.js';
import { installRealGirder, testCache } from '../../../src/sandbox/real-girder/service.js';
import { startGirders } from '../../girder/support/site.js';
import { girderPlugins, installHistomicsTk, type HistomicsTk } from './histomicstk.js';

declare module 'vitest' {
  export interface ProvidedContext {
    histomicsTk: HistomicsTk;
  }
}

const say = (line: string): void => console.log(line);

/** A real Girder with its plugins for slides and annotations, and HistomicsTK. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  try {
    const options = { cache: testCache(process.env, tmpdir()), run: createRunner({ env: process.env }), say };
    project.provide('histomicsTk', await installHistomicsTk(options));
    const { python } = await installRealGirder({ ...options, major: 5, ...girderPlugins });
    await addEmptyPage(python, options.run);
    return await startGirders(project, girderPlugins);
  } catch (error) {
    throw new Error(`What this suite needs is missing. ${errorLine(error)}`, { cause: error });
  }
}

/** HistomicsUI's page is in no release for Girder 5, and Girder does not start without its files. */
async function addEmptyPage(python: string, run: RunCommand): Promise<void> {
  const script =
    'import importlib.util as u; print(u.find_spec("histomicsui").submodule_search_locations[0])';
  const answer = await run(python, ['-c', script]);
  if (answer.kind !== 'exited' || answer.exitCode !== 0) throw new Error(describeFailure(answer));
  const page = join(answer.stdout.trim(), 'web_client', 'dist');
  await mkdir(join(page, 'extra'), { recursive: true });
  for (const name of ['style.css', 'girder-plugin-histomics-ui.umd.cjs', 'extra/plotly.js'])
    await writeFile(join(page, name), '');
}
