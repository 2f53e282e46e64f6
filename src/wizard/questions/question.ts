import type { Detection } from '../detect/detect.js';
import type { Doors } from '../detect/site-probes.js';
import { isLocal, type AnswerValue } from '../flow/partial-answers.js';
import type { Draft } from '../init-answers.js';
import type { Verdict } from '../validate/validation-result.js';

export const sections = [
  'Jobs',
  'Directories',
  'Slurm',
  'Digital Slide Archive',
  'RabbitMQ',
  'Girder',
  'MongoDB',
  'Running the worker',
] as const;

export type Section = (typeof sections)[number];

export interface Choice {
  value: string;
  name: string;
}

/** What looking at an answer may use besides the answer. */
export interface ValidateContext {
  /** All answers so far, this one among them. */
  draft: Draft;
  detected: Detection;
  doors: Doors;
  /** Ids of doubts that are put no more. */
  accepted: ReadonlySet<string>;
}

/** One question of the wizard: prompt, flag, environment name, key of the answers file and line of docs/init.md. */
export interface Question {
  /** Path in the answers: `dirs.tmp`. */
  key: string;
  section: Section;
  /** As it is asked, in a few words; `hereMessage`: where this host runs the jobs, if that is another. */
  message: string;
  hereMessage?: string;
  /** One sentence for the documentation and the help. */
  about: string;
  /** `secret`: read hidden, never from flags; `choice`: one of `choices`. */
  kind: 'text' | 'path' | 'number' | 'choice' | 'secret';
  /** `--tmp`. Secrets have none: every user of a machine can read flags. */
  flag?: string;
  /** May be answered with nothing, which is null. */
  optional?: true;
  choices?(draft: Draft, detected: Detection): readonly Choice[];
  /** The answer that is proposed; undefined where there is none. Null: nothing. */
  proposal?(draft: Draft, detected: Detection): AnswerValue | undefined;
  /** Whether it applies at all. Default: it does. */
  when?(draft: Draft, detected: Detection): boolean;
  /** Whether a person is asked. If not, the proposal counts, and flags and files can still say otherwise. Default: yes. */
  asked?(draft: Draft, detected: Detection, known: Draft): boolean;
  /** Answers that this text gives besides or instead of its own, such as a port behind a host name. */
  spread?(text: string): Readonly<Record<string, AnswerValue>>;
  /** The answer as one would type it, where that is more than what is kept at `key`. */
  text?(draft: Draft): string | undefined;
  /** Whether a password may be made up here: one that protects something new. */
  generate?(draft: Draft): boolean;
  /** How the answer is kept, where that is not simply at `key`. */
  keep?(draft: Draft, value: AnswerValue): Draft;
  read?(draft: Draft): AnswerValue | undefined;
  /** Looks whether the answer can be used here and now. May throw a DsaSlurmError: that is a problem. */
  validate?(value: AnswerValue, context: ValidateContext): Promise<Verdict> | Verdict;
}

/** As a question is put after these answers. */
export function messageOf({ message, hereMessage }: Question, draft: Draft): string {
  return isLocal(draft) ? (hereMessage ?? message) : message;
}

/** `DSA_SLURM_INIT_BROKER_PASSWORD` */
export function environmentName({ key }: Pick<Question, 'key'>): string {
  return `DSA_SLURM_INIT_${key
    .replaceAll('.', '_')
    .replaceAll(/([a-z])([A-Z])/g, '$1_$2')
    .toUpperCase()}`;
}
