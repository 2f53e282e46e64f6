import * as z from 'zod';
import { systemClock } from '../base/clock.js';
import { errorLine } from '../base/errors.js';
import { maskUrl } from '../base/text/redact.js';
import {
  judgeSettings,
  setSetting,
  settingKeys,
  type GirderSettings,
  type SettingChange,
} from '../doctor/checks/girder/settings.js';
import type { Prompter } from './flow/prompter.js';
import { settingsOfAnswers } from './flow/complete.js';
import type { SiteProbes } from './detect/site-probes.js';
import { indented, style, table } from './flow/output.js';
import type { InitAnswers } from './init-answers.js';

const answer = z.object({
  'worker.broker': z.string().nullish(),
  'worker.backend': z.string().nullish(),
  'worker.api_url': z.string().nullish(),
  'worker.direct_path': z.boolean().nullish(),
});

/**
 * Shows which of Girder's settings this worker needs changed, and changes them if the operator agrees. Needs an API key of
 * an administrator. A new deployment gets its settings from provision.yaml instead. Errors are printed, not thrown.
 */
export async function checkGirderSettings(
  answers: InitAnswers,
  probes: SiteProbes,
  prompter: Prompter,
): Promise<void> {
  const { apiKey, apiUrl, caFile, major } = answers.girder;
  if (apiKey === null || answers.deployment !== null) return;
  prompter.print(`\n${style.heading('Girder settings')}`);
  try {
    const { token } = await probes.girder.login(apiUrl, apiKey, caFile);
    const existing: GirderSettings = await probes.girder.as({ apiUrl, token, caFile }, (client) =>
      client.json(answer, {
        method: 'GET',
        path: 'system/setting',
        query: { list: JSON.stringify(settingKeys[major]) },
        attempts: 1,
        answerMs: 10_000,
      }),
    );
    const settings = settingsOfAnswers(answers);
    const { changes } = judgeSettings(existing, settings, { major, profile: answers.profile });
    if (changes.length === 0) {
      prompter.print(`${style.good} No change needed.`);
      return;
    }
    prompter.print(differenceText(existing, changes));
    const why =
      'Without them, Girder does not send analyses to this worker. The API key is used to change them.';
    if ((await prompter.confirm('Change them in Girder now?', true, indented(why))) !== true) {
      prompter.print(indented(style.dim('To change them later: dsa-slurm doctor --fix')));
      return;
    }
    for (const change of changes) {
      await setSetting({ settings, clock: systemClock }, { apiUrl, token }, change);
      prompter.print(`${style.good} ${change.key}`);
    }
    if (changes.some(({ key }) => key === 'worker.broker' || key === 'worker.backend')) {
      prompter.print(indented('Restart Girder to use the new broker.'));
    }
  } catch (thrown) {
    // Ctrl-C is not an error of Girder
    if (thrown instanceof Error && thrown.name === 'Stopped') throw thrown;
    prompter.print(`${style.careful} ${indented(errorLine(thrown)).trimStart()}`);
  }
}

/** Lists the current and the required value of each setting. Passwords are masked. */
function differenceText(existing: GirderSettings, changes: readonly SettingChange[]): string {
  return changes
    .map(({ key, value }) => {
      const [current, required] = [text(existing[key]), text(value)];
      // they differ in the masked password only
      const note = current === required ? ' (with another password)' : '';
      return table([
        [key, `current:  ${current}`],
        ['', `required: ${required}${note}`],
      ]);
    })
    .join('\n');
}

function text(value: string | boolean | null | undefined): string {
  if (value === null || value === undefined || value === '') return 'not set';
  return typeof value === 'string' && value.includes('@') ? maskUrl(value) : String(value);
}
