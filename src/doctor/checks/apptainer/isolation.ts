import type { Settings } from '../../../config/index.js';
import type { Check, Finding } from '../../check.js';
import { combine, ok, warn } from '../../check-result.js';

/** Reports the configured exceptions from container isolation. */
export function judgeIsolation(
  { isolationExceptions }: Pick<Settings['apptainer'], 'isolationExceptions'>,
  profile: string,
): Finding {
  if (isolationExceptions.length === 0) return ok('containers are isolated from the host');
  const named = profile === 'default' ? '' : ` --profile ${profile}`;
  return combine(
    isolationExceptions.map(({ image, off }) =>
      warn(
        `Containers of ${image ?? 'every image'} are not isolated from the host in: ${off.join(', ')}.`,
        `dsa-slurm${named} config set apptainer.isolationExceptions --default   # unless the image needs it`,
      ),
    ),
  );
}

export const isolation: Check = {
  id: 'apptainer.isolation',
  group: 'apptainer',
  title: 'isolation of containers',
  run: async ({ settings, profile }) => judgeIsolation(settings.apptainer, profile),
};
