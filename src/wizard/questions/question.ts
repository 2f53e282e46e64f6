import type { Detection } from '../detect/detect.js';
import type { SiteProbes } from '../detect/site-probes.js';
import { isLocal, type AnswerValue } from '../flow/partial-answers.js';
import type { Draft } from '../init-answers.js';
import type { ValidationResult } from '../validate/validation-result.js';

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

/** What the validation of an answer can use. */
export interface ValidateContext {
  /** All answers so far, including this one. */
  draft: Draft;
  detected: Detection;
  probes: SiteProbes;
  /** Ids of warnings that the operator accepted. */
  accepted: ReadonlySet<string>;
}

/** One question of the wizard: prompt, flag, environment variable, key in answers files, and entry in docs/init.md. */
export interface Question {
  /** Path in the answers: `dirs.tmp`. */
  key: string;
  section: Section;
  /** The prompt; `localMessage` replaces it if this host runs the jobs. */
  message: string;
  localMessage?: string;
  /** Description for the documentation and the help. */
  about: string;
  /** `secret`: read without echo, never from flags; `choice`: one of `choices`. */
  kind: 'text' | 'path' | 'number' | 'choice' | 'secret';
  /** `--tmp`. Secrets have none, because every user of a machine can read flags. */
  flag?: string;
  /** The answer may be empty, which is null. */
  optional?: true;
  choices?(draft: Draft, detected: Detection): readonly Choice[];
  /** The proposed answer; null proposes none. Undefined: no proposal. */
  proposal?(draft: Draft, detected: Detection): AnswerValue | undefined;
  /** Whether the question applies. Default: yes. */
  when?(draft: Draft, detected: Detection): boolean;
  /** Whether to prompt. If not, the proposal is used unless flags or files contain an answer. Default: yes. */
  asked?(draft: Draft, detected: Detection, known: Draft): boolean;
  /** Further answers in the text, such as a port after a host name. */
  splitAnswer?(text: string): Readonly<Record<string, AnswerValue>>;
  /** The answer as typed, if it differs from the value at `key`. */
  text?(draft: Draft): string | undefined;
  /** Whether a password can be generated, because it is for a new service. */
  generate?(draft: Draft): boolean;
  /** Completes what was typed. */
  normalize?(text: string): string;
  /** How to store and read the answer, if not simply at `key`. */
  write?(draft: Draft, value: AnswerValue): Draft;
  read?(draft: Draft): AnswerValue | undefined;
  /** Validates the answer. A thrown DsaSlurmError counts as a problem. */
  validate?(value: AnswerValue, context: ValidateContext): Promise<ValidationResult> | ValidationResult;
}

/** The prompt of a question, given these answers. */
export function messageOf({ message, localMessage: hereMessage }: Question, draft: Draft): string {
  return isLocal(draft) ? (hereMessage ?? message) : message;
}

/** `DSA_SLURM_INIT_BROKER_PASSWORD` */
export function environmentName({ key }: Pick<Question, 'key'>): string {
  return `DSA_SLURM_INIT_${key
    .replaceAll('.', '_')
    .replaceAll(/([a-z])([A-Z])/g, '$1_$2')
    .toUpperCase()}`;
}
