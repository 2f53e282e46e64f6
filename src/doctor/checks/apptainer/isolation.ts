import type { Settings } from '../../../config/index.js';
import type { Check, Finding } from '../../check.js';
import { combine, ok, warn } from '../../check-result.js';

/** What the settings leave open between containers and their host. Pure. */
export function judgeIsolation(
  { isolationExceptions }: Pick<Settings['apptainer'], 'isolationExceptions'>,
  profile: string,
): Finding {
  if (isolationExceptions.length === 0) return ok('containers are isolated from their host');
  const named = profile === 'default' ? '' : ` --profile ${profile}`;
  return combine(
    isolationExceptions.map(({ image, off }) =>
      warn(
        `Containers of ${image ?? 'every image'} are not isolated from their host in: ${off.join(', ')}.`,
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
