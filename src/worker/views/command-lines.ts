import type { Task } from '../../celery/messages/task.js';
import type { Settings } from '../../config/schema.js';
import type { Analysis } from '../../girder/protocol/analysis.js';
import { submitArguments } from '../../slurm/commands/sbatch.js';
import { createMessageMask } from '../../base/text/redact.js';
import type { PlannedJob } from '../job-request/plan.js';
import type { RecordedSubmission } from '../run-state/run.js';

/** Limits, because the journal keeps the command lines of every run. */
const maxArguments = 200;
const maxArgumentLength = 1_000;

/** The argument vectors of a run for display, with the secrets of its task masked. */
export function commandLines(
  { headers }: Task,
  analysis: Analysis,
  { request, exec, command }: PlannedJob,
  { apptainer, worker }: Pick<Settings, 'apptainer' | 'worker'>,
): NonNullable<RecordedSubmission['lines']> {
  const mask = createMessageMask(headers, analysis);
  const shown = (line: readonly string[]): string[] => {
    const texts = (mask(line) as readonly string[]).slice(0, maxArguments);
    const left = line.length - texts.length;
    return [
      ...texts.map((text) =>
        text.length > maxArgumentLength ? `${text.slice(0, maxArgumentLength)}…` : text,
      ),
      ...(left > 0 ? [`… and ${left} more`] : []),
    ];
  };
  return {
    sbatch: worker.executor === 'local' ? null : shown(['sbatch', ...submitArguments(request)]),
    container: shown([apptainer.command, 'exec', ...exec, ...command]),
  };
}
