import { Readable } from 'node:stream';
import { request as send, type Dispatcher } from 'undici';
import type { z } from 'zod';
import type { Clock } from '../../base/clock.js';
import type { Log } from '../../base/log.js';
import { readToken, tokenPath } from './access-token.js';
import type { GirderAccess } from '../protocol/analysis.js';
import { mapApiUrl, type ApiUrlMap } from './api-url.js';
import type { ConnectionOptions, GirderConnections } from './connections.js';
import { followRedirect, redirectedError } from './redirect.js';
import {
  abortedError,
  responseError,
  connectionError,
  GirderError,
  unexpectedAnswerError,
  type RequestSummary,
} from './girder-error.js';
import { createRetries, type Patience, type Retries } from './patience.js';

/** What every room of Girder code stands on; one per worker. */
export interface GirderSetup {
  connections: GirderConnections;
  apiUrlMap: ApiUrlMap;
  clock: Clock;
  log: Log;
  /** How long trouble is waited out; without it, a few attempts are made. */
  patience?: Patience;
}

export interface GirderClientOptions extends GirderSetup {
  /** As published; {@link ApiUrlMap} is applied here. A trailing slash does no harm. */
  apiUrl: string;
  /** Goes into the header `Girder-Token`, and nowhere else. */
  token: string | null;
  /** Sent with each request, and like the token never to another host. */
  headers?: Readonly<Record<string, string>>;
  /** Added to the query of each request, not to where one is redirected. */
  params?: Readonly<Record<string, string>>;
  /** Where it is reached in another way than all others. */
  connection?: ConnectionOptions;
}

export interface GirderRequest {
  method: string;
  /** Below the API URL, without a slash in front; parts that come from elsewhere go through `segment`. */
  path: string;
  query?: Readonly<Record<string, string | number | undefined>>;
  /** Sent as `application/x-www-form-urlencoded`. */
  form?: Readonly<Record<string, string>>;
  /** Opened anew for each attempt. */
  body?: { length: number; open: () => Readable };
  headers?: Readonly<Record<string, string>>;
  /** Tries at most, with no patience beyond that. */
  attempts?: number;
  /** Milliseconds for the answer, if not the usual minute: of `json` for all of it, of `open` until it begins. */
  answerMs?: number;
  signal?: AbortSignal | undefined;
}

export interface GirderClient {
  /** The mapped API URL, without trailing slash. */
  readonly apiUrl: string;
  /**
   * Asks and checks the JSON answer; trouble is waited out with growing pauses, as `patience` says.
   * @throws GirderError
   */
  json<T>(schema: z.ZodType<T>, request: GirderRequest): Promise<T>;
  /**
   * Asks once, follows redirects, and hands the body over unread; whoever calls reads it to its end or destroys it.
   * @throws GirderError for an answer of 400 and up, too.
   */
  open(request: GirderRequest): Promise<Dispatcher.ResponseData>;
  /** For whoever has an own way of asking again: waits as `json` does. */
  retries(signal: AbortSignal | undefined): Retries;
}

/** Milliseconds for an answer. */
const usualAnswerMs = 60_000;
const jsonLimit = 64 * 1024 * 1024;
const errorLimit = 64 * 1024;

/** A client of one Girder as one user. Cheap: the connections are shared. */
export function createGirderClient(options: GirderClientOptions): GirderClient {
  const { clock, log } = options;
  const apiUrl = mapApiUrl(options.apiUrl, options.apiUrlMap).replace(/\/+$/, '');
  const secretHeaders = {
    ...options.headers,
    ...(options.token === null ? {} : { 'Girder-Token': options.token }),
  };

  /** A client of one resource asks for nothing below it: then the words name the resource. */
  const shownPath = ({ path }: GirderRequest): string => path || apiUrl.split('/').slice(-2).join('/');

  async function open(request: GirderRequest): Promise<Dispatcher.ResponseData> {
    const home = requestUrl(apiUrl, request, options.params);
    let dispatcher = options.connections.dispatcher(options.connection);
    let url = home;
    let secrets = true;
    for (let hop = 0; ; hop += 1) {
      const asked = { method: request.method, path: shownPath(request), origin: url.origin };
      let answer: Dispatcher.ResponseData;
      if (request.method !== 'GET') await options.connections.mayWrite();
      try {
        answer = await send(url, {
          dispatcher,
          method: request.method,
          headers: requestHeaders(request, secrets ? secretHeaders : {}),
          body: requestBody(request, options.connections.mayWrite),
          ...(request.answerMs === undefined ? {} : { headersTimeout: request.answerMs }),
          ...(request.signal === undefined ? {} : { signal: request.signal }),
        });
      } catch (error) {
        throw requestError(asked, error, request.signal);
      }
      if (answer.statusCode < 300) return answer;
      if (answer.statusCode >= 400) {
        const text = await readText(answer, errorLimit, asked, request.signal);
        // what is said elsewhere, by a login page say, is no answer to what was asked
        if (url.pathname !== home.pathname) throw redirectedError(asked, url, answer.statusCode);
        throw responseError(asked, answer.statusCode, text.slice(0, errorLimit), {
          retryAfter: retryAfterOf(answer),
          tokenIsGood: answer.statusCode === 401 ? await isTokenGood(request) : null,
        });
      }
      const next = await followRedirect(answer, { asked, home, from: url, hop });
      url = next.url;
      if (!next.isHome) {
        secrets = false;
        // what goes to another host goes there in the usual way: our certificate is none of its business
        dispatcher = options.connections.dispatcher();
      }
    }
  }

  /**
   * Girder says the same to an expired token and to one for something else, but it knows the difference. Null: it does not
   * say. The token of a Girder job is told by its refusal (and its client has no API URL, only that of the job).
   */
  async function isTokenGood({ path, signal }: GirderRequest): Promise<boolean | null> {
    if (options.token === null || path === tokenPath) return null;
    return readToken({ json }, signal).then(
      (facts) => facts !== null,
      () => null,
    );
  }

  const json: GirderClient['json'] = async (schema, request) => {
    const asked = { method: request.method, path: shownPath(request), origin: originOf(apiUrl) };
    const retries = retriesFor(request);
    for (;;) {
      try {
        const parsed = parseAnswer(schema, await answerText(request, asked), asked);
        retries.reset();
        return parsed;
      } catch (error) {
        await retries.wait(error);
        if (request.signal?.aborted === true) throw abortedError(asked);
      }
    }
  };

  /** The whole answer has its time too: a server that sends a byte now and then must not hold anybody up for ever. */
  async function answerText(request: GirderRequest, asked: RequestSummary): Promise<string> {
    const ms = request.answerMs ?? usualAnswerMs;
    if (request.body === undefined) {
      return within(ms, request.signal, async (signal) =>
        readText(await open({ ...request, signal }), jsonLimit, asked, signal),
      );
    }
    // sending takes as long as it takes
    const answer = await open(request);
    return within(ms, request.signal, async (signal) => readText(answer, jsonLimit, asked, signal));
  }

  function retriesFor({ method, attempts, signal }: GirderRequest): Retries {
    const isLimited = attempts !== undefined;
    return createRetries({
      patience: isLimited ? undefined : options.patience,
      ...(isLimited ? { attempts } : {}),
      isChange: method !== 'GET',
      clock,
      log,
      signal,
    });
  }

  return {
    apiUrl,
    open,
    json,
    retries: (signal) => createRetries({ patience: options.patience, isChange: false, clock, log, signal }),
  };
}

/** The client for what a transform of a message may do. */
export function clientFor(access: GirderAccess, setup: GirderSetup): GirderClient {
  return createGirderClient({ ...setup, apiUrl: access.apiUrl, token: access.token });
}

function requestUrl(
  apiUrl: string,
  request: GirderRequest,
  params: Readonly<Record<string, string>> = {},
): URL {
  const text = request.path === '' ? apiUrl : `${apiUrl}/${request.path}`;
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new GirderError('The API URL of Girder in this task is not a http or https URL.', {
      kind: 'not-girder',
      next: 'Check the worker API URL in the settings of Girder.',
    });
  }
  for (const [name, value] of Object.entries({ ...params, ...request.query })) {
    if (value !== undefined) url.searchParams.append(name, String(value));
  }
  return url;
}

function originOf(apiUrl: string): string {
  return URL.parse(apiUrl)?.origin ?? 'the API URL';
}

function requestHeaders(
  request: GirderRequest,
  secretHeaders: Readonly<Record<string, string>>,
): Record<string, string> {
  const headers: Record<string, string> = {
    accept: '*/*',
    'user-agent': 'dsa-slurm',
    ...secretHeaders,
    ...request.headers,
  };
  if (request.form !== undefined) headers['content-type'] = 'application/x-www-form-urlencoded';
  if (request.body !== undefined) headers['content-length'] = String(request.body.length);
  return headers;
}

function requestBody(
  request: GirderRequest,
  mayWrite: GirderConnections['mayWrite'],
): string | Readable | null {
  if (request.form !== undefined) return new URLSearchParams(request.form).toString();
  if (request.body === undefined || request.body.length === 0) return null;
  const { open } = request.body;
  return Readable.from(whileAllowed(open(), mayWrite), { objectMode: false });
}

/** A body that is sent for a long time asks again before each piece. */
async function* whileAllowed(
  body: Readable,
  mayWrite: GirderConnections['mayWrite'],
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const piece of body as AsyncIterable<Uint8Array>) {
    await mayWrite();
    yield piece;
  }
}

function requestError(asked: RequestSummary, error: unknown, signal: AbortSignal | undefined): GirderError {
  if (signal?.aborted !== true) return connectionError(asked, error);
  return signal.reason instanceof TooSlow ? connectionError(asked, signal.reason) : abortedError(asked);
}

class TooSlow extends Error {}

/** Its signal aborts with the other one, or after so many milliseconds. */
async function within<T>(
  ms: number,
  other: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new TooSlow(`no whole answer within ${ms / 1_000} s`)), ms);
  try {
    return await work(other === undefined ? late.signal : AbortSignal.any([other, late.signal]));
  } finally {
    clearTimeout(timer);
  }
}

async function readText(
  answer: Dispatcher.ResponseData,
  limit: number,
  asked: RequestSummary,
  signal: AbortSignal | undefined,
): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const stop = (): void => void answer.body.destroy();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    signal?.throwIfAborted();
    for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > limit) break;
    }
  } catch (error) {
    throw requestError(asked, error, signal);
  } finally {
    signal?.removeEventListener('abort', stop);
  }
  if (length > limit && answer.statusCode < 300) {
    throw new GirderError(`${asked.origin} answered ${asked.method} ${asked.path} with far too much.`, {
      kind: 'not-girder',
      status: answer.statusCode,
    });
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseAnswer<T>(schema: z.ZodType<T>, text: string, asked: RequestSummary): T {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw unexpectedAnswerError(asked, text);
  }
  const checked = schema.safeParse(parsed);
  if (!checked.success) throw unexpectedAnswerError(asked, '{}', checked.error);
  return checked.data;
}

function retryAfterOf(answer: Dispatcher.ResponseData): number | undefined {
  const value = Number(answer.headers['retry-after']);
  return Number.isFinite(value) && value >= 0 ? value : undefined;
}
