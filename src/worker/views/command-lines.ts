import type { Task } from '../../celery/messages/task.js';
import type { Settings } from '../../config/schema.js';
import type { Analysis } from '../../girder/protocol/analysis.js';
import { submitArguments } from '../../slurm/commands/sbatch.js';
import { createMessageMask } from '../../base/redact.js';
import type { PlannedJob } from '../job-request/plan.js';
import type { Submission } from '../run-state/run.js';

/** The journal keeps these with every run. */
const mostArguments = 200;
const longestArgument = 1_000;

/** The argument vectors of a run as they may be shown: every secret of its task is out of them. */
export function commandLines(
  { headers }: Task,
  analysis: Analysis,
  { request, exec, command }: PlannedJob,
  { apptainer, worker }: Pick<Settings, 'apptainer' | 'worker'>,
): NonNullable<Submission['lines']> {
  const mask = createMessageMask(headers, analysis);
  const shown = (line: readonly string[]): string[] => {
    const texts = (mask(line) as readonly string[]).slice(0, mostArguments);
    const left = line.length - texts.length;
    return [
      ...texts.map((text) => (text.length > longestArgument ? `${text.slice(0, longestArgument)}…` : text)),
      ...(left > 0 ? [`… and ${left} more`] : []),
    ];
  };
  return {
    sbatch: worker.executor === 'local' ? null : shown(['sbatch', ...submitArguments(request)]),
    container: shown([apptainer.command, 'exec', ...exec, ...command]),
  };
}
