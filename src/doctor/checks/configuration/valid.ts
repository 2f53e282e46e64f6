import { existsSync } from 'node:fs';
import type { Check } from '../../check.js';
import { combine, fail, ok, skip, warn } from '../../check-result.js';

export const valid: Check = {
  id: 'configuration.valid',
  group: 'configuration',
  title: 'settings',
  async run({ configuration, profile }) {
    if (configuration === null) return skip('no profile yet');
    const { path, problems, warnings } = configuration;
    const named = profile === 'default' ? '' : ` --profile ${profile}`;
    return combine([
      ok(`${path}${existsSync(path) ? '' : ' (not written yet)'}`),
      ...problems.map(({ message, source, fix }) =>
        fail(`${message} (${source}; the checks use the default)`, fix),
      ),
      // file modes are checked by configuration.modes
      ...warnings
        .filter((warning) => !warning.startsWith('Other users may read'))
        .map((warning) => warn(warning, `dsa-slurm${named} config show`)),
    ]);
  },
};
