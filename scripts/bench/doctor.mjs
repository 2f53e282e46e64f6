// The doctor on a healthy site, without the checks of --deep.
import { createRunner } from '../../build/base/command.js';
import { openTrial, program, quantile } from './site.mjs';

export const title = 'doctor on a healthy site';

export async function measure(site, { doctors = 5 }) {
  const trial = await openTrial(site, { settings: { 'girder.apiUrl': site.girder.apiUrl } });
  try {
    const run = createRunner({ env: trial.env });
    const times = [];
    for (let index = 0; index < doctors; index += 1) {
      const began = performance.now();
      const result = await run(program, ['doctor', '--json', ...trial.flags], { timeoutMs: 120_000 });
      times.push((performance.now() - began) / 1_000);
      // 1: a check failed or warns, for example that no worker runs
      if (result.kind !== 'exited' || ![0, 1, 2].includes(result.exitCode) || !result.stdout.startsWith('{'))
        throw new Error(JSON.stringify(result));
    }
    return [{ what: 'doctor (s)', ours: quantile(times, 0.5), reach: 3 }];
  } finally {
    await trial.close();
  }
}
