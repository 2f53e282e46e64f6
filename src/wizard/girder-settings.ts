import * as z from 'zod';
import { systemClock } from '../base/clock.js';
import { errorLine } from '../base/errors.js';
import { maskUrl } from '../base/log.js';
import {
  judgeSettings,
  setSetting,
  settingKeys,
  type GirderSettings,
  type SettingChange,
} from '../doctor/checks/girder/settings.js';
import type { Asker } from './flow/prompter.js';
import { settingsOfAnswers } from './flow/complete.js';
import type { Doors } from './detect/site-probes.js';
import { indented, mark, table } from './flow/output.js';
import type { SiteAnswers } from './init-answers.js';

const answer = z.object({
  'worker.broker': z.string().nullish(),
  'worker.backend': z.string().nullish(),
  'worker.api_url': z.string().nullish(),
  'worker.direct_path': z.boolean().nullish(),
});

/**
 * Shows where Girder's settings are not what this worker needs, and sets them if the operator agrees. Needs an API key
 * of an administrator; a site that is about to be made gets its settings from provision.yaml. Trouble is told, and stops
 * nothing.
 */
export async function girderSettingsStep(answers: SiteAnswers, doors: Doors, asker: Asker): Promise<void> {
  const { apiKey, apiUrl, caFile, major } = answers.girder;
  if (apiKey === null || answers.deployment !== null) return;
  asker.say(`\n${mark.heading('Settings of Girder')}`);
  try {
    const { token } = await doors.girder.login(apiUrl, apiKey, caFile);
    const theirs: GirderSettings = await doors.girder.as({ apiUrl, token, caFile }, (client) =>
      client.json(answer, {
        method: 'GET',
        path: 'system/setting',
        query: { list: JSON.stringify(settingKeys[major]) },
        attempts: 1,
        answerMs: 10_000,
      }),
    );
    const settings = settingsOfAnswers(answers);
    const { changes } = judgeSettings(theirs, settings, { major, profile: answers.profile });
    if (changes.length === 0) {
      asker.say(`${mark.good} They are as this worker needs them.`);
      return;
    }
    asker.say(differenceText(theirs, changes));
    if (!(await asker.yesNo('Set them in Girder now?', true))) {
      asker.say(indented(mark.dim('Later: dsa-slurm doctor --fix')));
      return;
    }
    for (const change of changes) {
      await setSetting({ settings, clock: systemClock }, { apiUrl, token }, change);
      asker.say(`${mark.good} ${change.key}`);
    }
    if (changes.some(({ key }) => key === 'worker.broker' || key === 'worker.backend')) {
      asker.say(indented('Girder takes up a new broker when it is restarted.'));
    }
  } catch (thrown) {
    // their own business is Stopped, which is no complaint about Girder
    if (thrown instanceof Error && thrown.name === 'Stopped') throw thrown;
    asker.say(`${mark.careful} ${indented(errorLine(thrown)).trimStart()}`);
  }
}

/** Setting by setting: what Girder has, and what this worker needs. Passwords are masked. */
export function differenceText(theirs: GirderSettings, changes: readonly SettingChange[]): string {
  return changes
    .map(({ key, value }) => {
      const [has, wants] = [text(theirs[key]), text(value)];
      // passwords are hidden on both sides
      const note = has === wants ? ' (with another password)' : '';
      return table([
        [key, `Girder has ${has}`],
        ['', `needed: ${wants}${note}`],
      ]);
    })
    .join('\n');
}

function text(value: string | boolean | null | undefined): string {
  if (value === null || value === undefined || value === '') return 'not set';
  return typeof value === 'string' && value.includes('@') ? maskUrl(value) : String(value);
}
