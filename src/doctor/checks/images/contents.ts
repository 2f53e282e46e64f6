import { join } from 'node:path';
import PQueue from 'p-queue';
import { createApptainer, type ImageFacts } from '../../../apptainer/inspect.js';
import type { CommandOptions, RunCommand } from '../../../base/command.js';
import { errorLine } from '../../../base/errors.js';
import type { Settings } from '../../../config/index.js';
import type { Check, Finding } from '../../check.js';
import { combine, configSet, count, fail, ok, quoted, warn } from '../../check-result.js';
import { judgeLook, lookIntoImage } from '../../image-look.js';

/** Each image takes two or three commands; `--deep` checks all of them. */
const maxImages = 12;
/** No further image is started after this time, for slow file systems. */
const budgetMs = 3_000;

/** Compares an image's metadata with what a run needs. */
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
        `${name} has no working directory: neither a label entry_path nor an OCI config.`,
        configSet(profile, 'apptainer.workingDirectory', '/opt/app'),
      ),
    );
  }
  if (entrypoint === null && settings.apptainer.entrypoint === null) {
    findings.push(
      fail(
        `${name} has no entry point.`,
        configSet(profile, 'apptainer.entrypoint', './docker-entrypoint.sh'),
      ),
    );
  }
  if (needsGpu && settings.slurm.gpuPartition === null) {
    findings.push(
      warn(
        `${name} needs a GPU, but slurm.gpuPartition is not set.`,
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
    `${name}: working directory ${workingDirectory ?? settings.apptainer.workingDirectory} ${from}${needsGpu ? ', needs a GPU (label com.nvidia.volumes.needed)' : ''}`,
  );
}

export const contents: Check = {
  id: 'images.contents',
  group: 'images',
  title: 'labels, working directory and entry point',
  needs: ['images.files', 'apptainer.version'],
  // a run without --deep ends long before
  timeoutMs: 60_000,
  async run({ settings, profile, run, needed, deep, signal, clock }) {
    const names = needed('images.files');
    const chosen = deep ? names : names.slice(0, maxImages);
    const limited: RunCommand = async (file, args, options?: CommandOptions) =>
      run(file, args, { ...options, timeoutMs: deep ? 30_000 : 3_000, signal });
    const apptainer = createApptainer({ run: limited, command: settings.apptainer.command });
    const queue = new PQueue({ concurrency: 4 });
    const until = deep ? Number.POSITIVE_INFINITY : clock.monotonic() + budgetMs;
    const findings = await Promise.all(
      chosen.map((name) =>
        queue.add(async (): Promise<Finding> => {
          if (clock.monotonic() > until) return ok(`${name}: not checked, for lack of time; use --deep`);
          const path = join(settings.dirs.images ?? '', name);
          try {
            // like the worker, --deep decides by the image's content whether its label is used
            const facts = await (deep ? apptainer.probe(name, path) : apptainer.inspect(name, path));
            const finding = judgeImage(name, facts, settings, profile);
            // starting containers is slow, and not welcome on every login node
            if (!deep) return finding;
            const { apptainer: apptainerSettings } = settings;
            const look = await lookIntoImage({ path, facts, settings: apptainerSettings, run: limited });
            return combine([
              finding,
              judgeLook(name, path, look, { facts, settings: apptainerSettings, profile }),
            ]);
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
      ...(rest > 0 ? [ok(`${count(rest, 'more image')} checked only with --deep`)] : []),
      ...(names.length === 0 ? [ok('no images')] : []),
    ]);
  },
};
