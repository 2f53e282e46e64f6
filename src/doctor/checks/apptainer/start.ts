import { join } from 'node:path';
import { createApptainer } from '../../../apptainer/inspect.js';
import type { CommandOptions, RunCommand } from '../../../base/command.js';
import type { Check, Finding } from '../../check.js';
import { combine, skip } from '../../check-result.js';
import { judgeStart, lookIntoImage, stderrOf, siteProblem } from '../../image-look.js';

/** Other images are tried, because one may be broken. */
const maxImages = 3;

export const start: Check = {
  id: 'apptainer.start',
  group: 'apptainer',
  title: 'a container starts on this host',
  needs: ['apptainer.version', 'images.files'],
  deep: true,
  timeoutMs: 60_000,
  async run({ settings, profile, run, needed, signal }) {
    const names = needed('images.files');
    const limited: RunCommand = async (file, args, options?: CommandOptions) =>
      run(file, args, { ...options, timeoutMs: 30_000, signal });
    const apptainer = createApptainer({ run: limited, command: settings.apptainer.command });
    const failures: Finding[] = [];
    for (const name of names.slice(0, maxImages)) {
      const path = join(settings.dirs.images ?? '', name);
      const facts = await apptainer.inspect(name, path).catch(() => null);
      if (facts === null) continue;
      const look = await lookIntoImage({ path, facts, settings: settings.apptainer, run: limited });
      const finding = judgeStart(name, path, look, settings.apptainer, profile);
      if (look.kind !== 'failed' || siteProblem(stderrOf(look.result), profile) !== null) return finding;
      failures.push(finding);
    }
    return failures.length === 0 ? skip('no usable image') : combine(failures);
  },
};
