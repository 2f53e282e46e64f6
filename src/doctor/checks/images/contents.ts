import { join } from 'node:path';
import PQueue from 'p-queue';
import { createApptainer, type ImageFacts } from '../../../apptainer/inspect.js';
import { errorLine } from '../../../base/errors.js';
import type { Settings } from '../../../config/index.js';
import type { Check, Finding } from '../../check.js';
import { combine, configSet, count, fail, ok, quoted, warn } from '../../finding.js';

/** Each one costs two or three commands; the rest is looked at by `--deep`. */
const atMost = 12;

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
    `${name}: working directory ${workingDirectory ?? settings.apptainer.workingDirectory} ${from}${needsGpu ? ', GPU' : ''}`,
  );
}

export const contents: Check = {
  id: 'images.contents',
  group: 'images',
  title: 'labels, working directory and entry point',
  needs: ['images.files', 'apptainer.version'],
  timeoutMs: 7_000,
  async run({ settings, profile, run, needed, deep, signal }) {
    const names = needed('images.files') as string[];
    const chosen = deep ? names : names.slice(0, atMost);
    const apptainer = createApptainer({
      run: async (file, args, options) => run(file, args, { timeoutMs: 5_000, ...options, signal }),
      command: settings.apptainer.command,
    });
    const queue = new PQueue({ concurrency: 4 });
    const findings = await Promise.all(
      chosen.map((name) =>
        queue.add(async (): Promise<Finding> => {
          const path = join(settings.dirs.images ?? '', name);
          try {
            return judgeImage(name, await apptainer.inspect(name, path), settings, profile);
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
