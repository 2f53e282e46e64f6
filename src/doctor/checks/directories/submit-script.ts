import { stat } from 'node:fs/promises';
import { openSubmitScript } from '../../../worker/job-request/submit-script.js';
import type { Check } from '../../check.js';
import { lookUpFileSystem } from '../../file-system.js';
import { combine, ok, quoted, warn } from '../../check-result.js';

/** The batch script that every job is submitted with. sbatch copies it, so compute nodes need not see it. */
export const submitScript: Check = {
  id: 'directories.submit-script',
  group: 'directories',
  title: 'submit script',
  async run({ settings, profile }) {
    const script = await openSubmitScript(settings.slurm.submitScript);
    const { mode } = await stat(script.path);
    const fileSystem = await lookUpFileSystem(script.path);
    const findings = [ok(`${script.path} on ${fileSystem?.type ?? 'an unknown file system'}`)];
    if ((mode & 0o022) !== 0) {
      findings.push(
        warn(
          `Other users may change ${script.path}, and every job runs it.`,
          `chmod go-w ${quoted(script.path)}`,
        ),
      );
    }
    if (!script.takesArgumentsFile) {
      const named = profile === 'default' ? '' : ` --profile ${profile}`;
      findings.push(
        warn(
          `${script.path} is not one of this program: tokens of tasks that mount files through Girder stand on the command line of jobs.`,
          `dsa-slurm${named} config set slurm.submitScript --default`,
        ),
      );
    }
    return { ...combine(findings), fact: script };
  },
};
