import { join } from 'node:path';
import PQueue from 'p-queue';
import { createApptainer, type ImageFacts } from '../../../apptainer/inspect.js';
import type { CommandOptions, RunCommand } from '../../../base/command.js';
import { errorLine } from '../../../base/errors.js';
import type { Settings } from '../../../config/index.js';
import type { Check, Finding } from '../../check.js';
import { combine, configSet, count, fail, ok, quoted, warn } from '../../check-result.js';
import { judgeLook, lookIntoImage } from '../../image-look.js';

/** Each one costs two or three commands; the rest is looked at by `--deep`. */
const atMost = 12;
/** After so long no further image is begun with, on a slow file system. */
const enoughMs = 3_000;

/** What an image says of itself against what a run needs of it. Pure. */
export function judgeImage(
  name: string,
  facts: ImageFacts,
  settings: Pick<Settings, 'apptainer' | 'slurm'>,
  profile: string,
): Finding {
  const { workingDirectory, entrypoint, needsGpu, workingDirectoryFrom } = facts;
  const findings: Finding[] = [];
  if (workingDirectory === null && settings.apptainer.workingDirectory === null) {
    findings.push(
      fail(
        `${name} does not say its working directory: neither a label entry_path nor an OCI config.`,
        configSet(profile, 'apptainer.workingDirectory', '/opt/app'),
      ),
    );
  }
  if (entrypoint === null && settings.apptainer.entrypoint === null) {
    findings.push(
      fail(
        `${name} does not say its entry point.`,
        configSet(profile, 'apptainer.entrypoint', './docker-entrypoint.sh'),
      ),
    );
  }
  if (needsGpu && settings.slurm.gpuPartition === null) {
    findings.push(
      warn(
        `${name} wants a GPU; slurm.gpuPartition is not set, so its jobs go where all others go.`,
        configSet(profile, 'slurm.gpuPartition', 'gpu'),
      ),
    );
  }
  if (findings.length > 0) return combine(findings);
  const from =
    workingDirectoryFrom === null
      ? 'from the settings'
      : `from its ${workingDirectoryFrom === 'label' ? 'label' : 'OCI config'}`;
  return ok(
    `${name}: working directory ${workingDirectory ?? settings.apptainer.workingDirectory} ${from}${needsGpu ? ', wants a GPU by its label com.nvidia.volumes.needed' : ''}`,
  );
}

export const contents: Check = {
  id: 'images.contents',
  group: 'images',
  title: 'labels, working directory and entry point',
  needs: ['images.files', 'apptainer.version'],
  // without --deep it ends by itself long before
  timeoutMs: 60_000,
  async run({ settings, profile, run, needed, deep, signal, clock }) {
    const names = needed('images.files') as string[];
    const chosen = deep ? names : names.slice(0, atMost);
    const limited: RunCommand = async (file, args, options?: CommandOptions) =>
      run(file, args, { ...options, timeoutMs: deep ? 30_000 : 3_000, signal });
    const apptainer = createApptainer({ run: limited, command: settings.apptainer.command });
    const queue = new PQueue({ concurrency: 4 });
    const until = deep ? Number.POSITIVE_INFINITY : clock.monotonic() + enoughMs;
    const findings = await Promise.all(
      chosen.map((name) =>
        queue.add(async (): Promise<Finding> => {
          if (clock.monotonic() > until) return ok(`${name}: not looked at, it took too long; try --deep`);
          const path = join(settings.dirs.images ?? '', name);
          try {
            // as the worker sees it: what is in the image decides whether its label counts
            const facts = await (deep ? apptainer.probe(name, path) : apptainer.inspect(name, path));
            const finding = judgeImage(name, facts, settings, profile);
            // a container is started for it, which takes its time and which not every login node likes
            if (!deep) return finding;
            const { apptainer: ways } = settings;
            const look = await lookIntoImage({ path, facts, settings: ways, run: limited });
            return combine([finding, judgeLook(name, path, look, { facts, settings: ways, profile })]);
          } catch (thrown) {
            return warn(
              `${name}: ${errorLine(thrown)}`,
              `${settings.apptainer.command} inspect ${quoted(path)}`,
            );
          }
        }),
      ),
    );
    const rest = names.length - chosen.length;
    return combine([
      ...findings,
      ...(rest > 0 ? [ok(`${count(rest, 'further image')} only with --deep`)] : []),
      ...(names.length === 0 ? [ok('no image')] : []),
    ]);
  },
};
