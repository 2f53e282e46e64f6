import { createApptainer } from '../../apptainer/inspect.js';
import { systemClock } from '../../base/clock.js';
import { createRunner } from '../../base/command.js';
import { silentLog } from '../../base/log.js';
import { createMessageMask, type JsonValue } from '../../base/text/redact.js';
import type { Settings } from '../../config/schema.js';
import { openGirderConnections } from '../../girder/api/connections.js';
import { createBindGuard } from '../../girder/transfer/bind-guard.js';
import { isReadableFile } from '../../girder/transfer/stage-inputs.js';
import { ownPrefix } from '../../girder/transfer/volume-disk.js';
import { slurmEnvironment } from '../../slurm/environment.js';
import { createGirderSlurmLoader } from '../job-request/girder-slurm-loader.js';
import { openSubmitScript } from '../job-request/submit-script.js';
import { privateDirectories } from '../run-state/directories.js';
import { explainMessage } from './explain.js';
import type { Explanation } from './explanation.js';
import { explainImage, type ImageExplanation, type ImageQuestion } from './image.js';
import { readMessageFile } from './message-file.js';

export type { Explanation } from './explanation.js';
export { renderImageExplanation } from './image.js';
export { renderExplanation } from './render.js';

/**
 * Explains a message file with the submit script and the files of this host. Makes no requests and runs no commands.
 * @param options.showSecrets do not mask tokens and passwords
 * @throws DsaSlurmError `usage` if the text is not a message file, `config` for an unreadable submit script
 */
export async function explainFile(
  text: string,
  options: {
    settings: Settings;
    env: Readonly<Record<string, string | undefined>>;
    now: number;
    showSecrets: boolean;
  },
): Promise<Explanation> {
  const { settings, env, now, showSecrets } = options;
  const { delivery, note } = readMessageFile(text);
  const submitScript = await openSubmitScript(settings.slurm.submitScript);
  const explanation = await explainMessage(delivery, {
    settings,
    submitScript,
    now,
    isReadableFile,
    guardBind: createBindGuard({
      privateDirectories: privateDirectories(settings, env),
      tmpDir: settings.dirs.tmp,
      ownPrefix,
    }),
  });
  if (note !== null) explanation.notes.push(note);
  if (showSecrets) return explanation;
  const mask = createMessageMask(delivery.properties.headers, explanation.decoded);
  return mask(explanation as unknown as JsonValue) as unknown as Explanation;
}

/**
 * Explains the effect of the settings on an image, with the image's file and Girder's settings if available. Errors of either
 * become notes.
 * @throws DsaSlurmError `image` for an invalid image name, `config` for an unreadable submit script
 */
export async function explainImageHere({
  env,
  ...asked
}: Pick<ImageQuestion, 'image' | 'cli' | 'gpu' | 'settings'> & {
  env: Readonly<Record<string, string | undefined>>;
}): Promise<ImageExplanation> {
  const { settings } = asked;
  const connections = await openGirderConnections(settings.girder);
  try {
    const submitScript = await openSubmitScript(settings.slurm.submitScript);
    const source = createGirderSlurmLoader({
      connections,
      clock: systemClock,
      log: silentLog(),
      girder: settings.girder,
    });
    const girder = await source.refresh();
    const apptainer = createApptainer({
      run: createRunner({ env: slurmEnvironment(env, settings.slurm.environment), timeoutMs: 30_000 }),
      command: settings.apptainer.command,
    });
    const explanation = await explainImage({ ...asked, submitScript, apptainer, girder });
    const problem = source.problem();
    return problem === null ? explanation : { ...explanation, notes: [...explanation.notes, problem] };
  } finally {
    await connections.close();
  }
}
