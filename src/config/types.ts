import * as z from 'zod';

// Types of settings. Each message completes a sentence that begins with the setting's key, and none repeats the value,
// which may be a secret.

/** One line of text without control characters: it ends up in argument vectors, logs and screens. */
export const text = () =>
  z.string('must be a string').regex(/^\P{Cc}+$/u, 'must be one line of text, not empty');

/** An absolute path. In flags and the environment it may be relative: see parse-value.ts. */
export const path = () => text().regex(/^\//, 'must be an absolute path (beginning with /)');

export const integer = (min: number, max: number) => {
  const complaint = `must be a whole number from ${min} to ${max}`;
  return z.int(complaint).min(min, complaint).max(max, complaint);
};

export const seconds = (min: number, max: number) => {
  const complaint = `must be a number of seconds from ${min} to ${max}`;
  return z.number(complaint).min(min, complaint).max(max, complaint);
};

export const boolean = () => z.boolean('must be true or false');

export const oneOf = <const T extends readonly [string, ...string[]]>(words: T) =>
  z.enum(words, `must be one of: ${words.join(', ')}`);

export const listOf = <T extends z.ZodType>(item: T) => z.array(item, 'must be a list');

/** The http(s) base of an address; trailing slashes are removed. */
export const httpUrl = () =>
  z
    .string('must be a string')
    .refine(
      (value) => isUrl(value, ['http:', 'https:']),
      'must be an address beginning with http:// or https://',
    )
    .overwrite((value) => value.replace(/\/+$/, ''));

/** Kept as it is: a trailing slash can belong to it. */
export const webhookUrl = () =>
  z
    .string('must be a string')
    .refine(
      (value) => isUrl(value, ['http:', 'https:']),
      'must be an address beginning with http:// or https://',
    );

/** A Unix socket or a port of this host: its clients need no login. */
export const localListen = () =>
  z
    .string('must be a string')
    .regex(
      /^(?:\/\P{Cc}+|(?:127\.\d{1,3}\.\d{1,3}\.\d{1,3}|localhost|\[::1\]):\d{1,5})$/u,
      'must be an absolute path or a port of this host such as 127.0.0.1:9464; for other hosts, put a web server with a login in front of it',
    );

/** Girder generates API keys in this form. */
export const apiKey = () =>
  z.string('must be a string').regex(/^[A-Za-z0-9]{40}$/, 'must be a Girder API key: 40 letters and digits');

/** Not necessarily a URL: it may list several hosts, separated by commas. */
export const mongoUri = () =>
  z
    .string('must be a string')
    .regex(
      /^mongodb(\+srv)?:\/\/[^\s\p{Cc}/]+(\/[^\s\p{Cc}]*)?$/u,
      'must be a MongoDB address beginning with mongodb:// or mongodb+srv://',
    );

/** One address for amqplib. Celery's list of alternative brokers (`a;b`) is not supported. */
export const brokerUrl = () =>
  z
    .string('must be a string')
    .refine(
      (value) => isUrl(value, ['amqp:', 'amqps:']) && !value.includes(';'),
      'must be the address of one RabbitMQ server, beginning with amqp:// or amqps://, with special characters of the password percent-encoded',
    );

/** Results go to the reply queue that a message names, on the same RabbitMQ server: no other backend works. */
export const resultBackend = () =>
  z
    .string('must be a string')
    .regex(
      /^rpc(:\/\/[^\p{Cc}]*)?$/u,
      'must be rpc:// or unset: results are sent through RabbitMQ, and other result backends (amqp://, redis://) are not supported. It can also come from GIRDER_WORKER_BACKEND and CELERY_RESULT_BACKEND',
    );

function isUrl(value: string, protocols: readonly string[]): boolean {
  if (!URL.canParse(value)) return false;
  const url = new URL(value);
  return protocols.includes(url.protocol) && url.hostname !== '';
}
