import { probeSharedDirectories, settingsDirectories } from '../../probe/probe-job.js';
import type { Check } from '../../check.js';
import { combine, skip } from '../../check-result.js';
import { judgeProbe } from '../../probe/judge-probe.js';
import { recordProbes } from '../../probe/probe-record.js';

/** A job on each partition reads and writes in each shared directory. */
export const probe: Check = {
  id: 'directories.probe',
  group: 'directories',
  title: 'access from compute nodes',
  deep: true,
  needs: ['slurm.partitions', 'directories.tmp', 'directories.logs'],
  timeoutMs: 5 * 60_000,
  async run({ settings, profile, run, needed, signal, clock, onWaiting }) {
    const { partition, gpuPartition } = settings.slurm;
    const standard = needed('slurm.partitions').find(({ isDefault }) => isDefault);
    const names = [
      ...new Set([...(partition ?? standard?.name ?? '').split(','), ...(gpuPartition ?? '').split(',')]),
    ];
    const partitions = names.filter((name) => name !== '');
    if (partitions.length === 0) return skip('there is no partition to test');
    const directories = settingsDirectories(settings);
    const answers = await Promise.all(
      partitions.map(async (name) =>
        probeSharedDirectories({
          run,
          settings,
          partition: name,
          directories,
          girder: settings.girder.apiUrl,
          signal,
          clock,
          onWaiting: ({ jobId, partition, reason, waitedMs }) =>
            onWaiting?.(
              `job ${jobId} in partition ${partition}, ${Math.round(waitedMs / 1_000)} s so far: ${reason}`,
            ),
        }),
      ),
    );
    const { images, state } = settings.dirs;
    await recordProbes(state, answers, { images, at: clock.now() });
    return combine(answers.map((answer) => judgeProbe(answer, images, profile)));
  },
};
