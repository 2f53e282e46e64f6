import { profilePath } from '../../config/index.js';
import { parseProfile } from '../../config/profile.js';
import { changeProfile, profileText } from '../../config/save.js';
import { readAnswer } from '../flow/partial-answers.js';
import type { PlannedFile, InitAnswers } from '../init-answers.js';
import { answeredSettings } from '../questions/index.js';
import { brokerUrlOf } from './addresses.js';

/**
 * The profile with these answers; its other settings stay as they are.
 * @param before what the file holds; null if it does not exist
 * @throws ConfigError if that is not a JSON object, or for an answer that its setting does not accept
 */
export function profileFile(answers: InitAnswers, configDir: string, before: string | null): PlannedFile {
  const path = profilePath(configDir, answers.profile);
  const content = changeProfile(parseProfile(before ?? '{}', path), settingsOf(answers));
  return {
    path,
    mode: 0o600,
    content: profileText(content),
    purpose: 'Settings of the worker and of the doctor, with the password of RabbitMQ.',
    merged: true,
  };
}

/** Values by key of setting; undefined: its default. */
export function settingsOf(answers: InitAnswers): Record<string, unknown> {
  return {
    ...answers.settings,
    ...Object.fromEntries(
      answeredSettings.map(({ key }) => [key, readAnswer(answers, key) ?? undefined] as const),
    ),
    'broker.url': brokerUrlOf(answers.broker),
    'slurm.submitScript': answers.dirs.submitScript,
  };
}
