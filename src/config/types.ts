import * as z from 'zod';

// The types that settings are made of. Every complaint is the end of a sentence that begins with the setting's
// key, and none repeats the value: it may be a secret.

/** One line of text. Control characters are refused: such text ends up in argument vectors, logs and screens. */
export const text = () =>
  z.string('must be text').regex(/^\P{Cc}+$/u, 'must be one line of text, and not empty');

/** An absolute path. Flags and environment names may be relative to the current directory: see read-text.ts. */
export const path = () => text().regex(/^\//, 'must be an absolute path: one that begins with /');

export const wholeNumber = (min: number, max: number) => {
  const complaint = `must be a whole number from ${min} to ${max}`;
  return z.int(complaint).min(min, complaint).max(max, complaint);
};

export const seconds = (min: number, max: number) => {
  const complaint = `must be a number of seconds from ${min} to ${max}`;
  return z.number(complaint).min(min, complaint).max(max, complaint);
};

export const yesOrNo = () => z.boolean('must be true or false');

export const oneOf = <const T extends readonly [string, ...string[]]>(words: T) =>
  z.enum(words, `must be one of: ${words.join(', ')}`);

export const listOf = <T extends z.ZodType>(item: T) => z.array(item, 'must be a list');

/** An http(s) address that paths are put behind: kept without its trailing slash. */
export const httpUrl = () =>
  z
    .string('must be text')
    .refine(
      (value) => isUrl(value, ['http:', 'https:']),
      'must be an address that begins with http:// or https://',
    )
    .overwrite((value) => value.replace(/\/+$/, ''));

/** A secret of Girder's own making (contract, section k). */
export const apiKey = () =>
  z.string('must be text').regex(/^[A-Za-z0-9]{40}$/, 'must be an API key of Girder: 40 letters and digits');

/** One host or several with commas between them, which is why it need not be a URL. */
export const mongoUri = () =>
  z
    .string('must be text')
    .regex(
      /^mongodb(\+srv)?:\/\/[^\s\p{Cc}/]+(\/[^\s\p{Cc}]*)?$/u,
      'must be the address of a MongoDB, beginning with mongodb:// or mongodb+srv://',
    );

/** What amqplib can connect to. Celery's list of several brokers (`a;b`) is not among that. */
export const brokerUrl = () =>
  z
    .string('must be text')
    .refine(
      (value) => isUrl(value, ['amqp:', 'amqps:']) && !value.includes(';'),
      'must be the address of one RabbitMQ, beginning with amqp:// or amqps://, with special letters of the password percent-encoded',
    );

/** Results travel through the same RabbitMQ, to the reply queue that a message names, so nothing else can work. */
export const resultBackend = () =>
  z
    .string('must be text')
    .regex(
      /^rpc(:\/\/[^\p{Cc}]*)?$/u,
      'must be rpc:// or left out: results go back through RabbitMQ to whoever waits for them, and no other result backend (amqp://, redis://) is supported. Besides this setting it is read from GIRDER_WORKER_BACKEND and CELERY_RESULT_BACKEND',
    );

function isUrl(value: string, protocols: readonly string[]): boolean {
  if (!URL.canParse(value)) return false;
  const url = new URL(value);
  return protocols.includes(url.protocol) && url.hostname !== '';
}
