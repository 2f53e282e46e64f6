import { dirname } from 'node:path';
import { readProfile } from '../../config/profile.js';
import { mergeDrafts, writeAnswer, type AnswerValue } from './partial-answers.js';
import { readBroker } from '../files/addresses.js';
import type { Draft } from '../init-answers.js';
import { answeredSettings } from '../questions/index.js';

/** Answers that can be derived from a profile, which may have been edited since. */
export function answersOfProfile(configDir: string, profile: string): Draft {
  const { values } = readProfile(configDir, profile);
  let draft: Draft = {};
  for (const { key } of answeredSettings) {
    const value = values.get(key);
    if (isAnswer(value)) draft = writeAnswer(draft, key, value);
  }
  const script = values.get('slurm.submitScript');
  if (typeof script === 'string') draft = writeAnswer(draft, 'dirs.submitScript', script);
  const url = values.get('broker.url');
  const broker = typeof url === 'string' ? readBroker(url) : null;
  return broker === null ? draft : mergeDrafts(draft, { broker });
}

function isAnswer(value: unknown): value is AnswerValue {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value);
}

/** Adds `base`, if the directories share a parent. */
export function inferBase(draft: Draft): Draft {
  const { tmp, logs } = draft.dirs ?? {};
  if (draft.base !== undefined || tmp === undefined || logs === undefined) return draft;
  const base = dirname(tmp);
  return base !== '/' && base === dirname(logs) ? { ...draft, base } : draft;
}
