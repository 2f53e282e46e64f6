import { readFile, stat } from 'node:fs/promises';
import { packageFile } from '../../../base/package-file.js';
import { openSubmitScript } from '../../../worker/job-request/submit-script.js';
import type { Check } from '../../check.js';
import { lookUpFileSystem } from '../../file-system.js';
import { combine, ok, quoted, warn } from '../../check-result.js';

/** The batch script of all jobs. sbatch copies it, so compute nodes do not need access to it. */
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
          `Other users can change ${script.path}, which every job runs.`,
          `chmod go-w ${quoted(script.path)}`,
        ),
      );
    }
    const named = profile === 'default' ? '' : ` --profile ${profile}`;
    if (!script.takesArgumentsFile) {
      findings.push(
        warn(
          `${script.path} is not from dsa-slurm: tokens of tasks that mount files through Girder appear on the command line of jobs.`,
          `dsa-slurm${named} config set slurm.submitScript --default`,
        ),
      );
    } else if (settings.slurm.submitScript !== null) {
      const shipped = packageFile('templates/singularity.slurm');
      if (lacksCode(await readFile(script.path, 'utf8'), await readFile(shipped, 'utf8'))) {
        findings.push(
          warn(
            `${script.path} lacks lines of this release's batch script: it is from another release, or was changed.`,
            `diff ${quoted(script.path)} ${quoted(shipped)}   # update it with dsa-slurm${named} init, or: dsa-slurm${named} config set slurm.submitScript --default`,
          ),
        );
      }
    }
    return { ...combine(findings), fact: script };
  },
};

/** Whether a batch script lacks code of another one. Comments, including #SBATCH options, and additional lines are ignored. */
function lacksCode(text: string, other: string): boolean {
  const own = new Set(codeLines(text));
  return codeLines(other).some((line) => !own.has(line));
}

function codeLines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}
