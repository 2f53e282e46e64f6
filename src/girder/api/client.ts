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
  unexpectedResponseError,
  type RequestSummary,
} from './girder-error.js';
import { createRetries, type Patience, type Retries } from './patience.js';

/** Shared dependencies of all code that talks to Girder; one per worker. */
export interface GirderSetup {
  connections: GirderConnections;
  apiUrlMap: ApiUrlMap;
  clock: Clock;
  log: Log;
  /** How long to retry failed requests; if absent, a few attempts are made. */
  patience?: Patience;
}

export interface GirderClientOptions extends GirderSetup {
  /** As published; {@link ApiUrlMap} is applied to it. May end in a slash. */
  apiUrl: string;
  /** Sent in the header `Girder-Token` only. */
  token: string | null;
  /** Sent with each request but, like the token, never to another host. */
  headers?: Readonly<Record<string, string>>;
  /** Added to the query of each request, but not to redirect targets. */
  params?: Readonly<Record<string, string>>;
  /** Connection options that differ from the default. */
  connection?: ConnectionOptions;
}

export interface GirderRequest {
  method: string;
  /** Relative to the API URL, without a leading slash; parts from outside must go through `segment`. */
  path: string;
  query?: Readonly<Record<string, string | number | undefined>>;
  /** Sent as `application/x-www-form-urlencoded`. */
  form?: Readonly<Record<string, string>>;
  /** Opened again for each attempt. */
  body?: { length: number; open: () => Readable };
  headers?: Readonly<Record<string, string>>;
  /** Maximum number of attempts; `patience` does not apply then. */
  attempts?: number;
  /** Response timeout in milliseconds; default one minute. For `json` it covers the whole response, for `open` its start. */
  answerMs?: number;
  signal?: AbortSignal | undefined;
}

export interface GirderClient {
  /** The mapped API URL, without trailing slash. */
  readonly apiUrl: string;
  /**
   * Sends a request and validates the JSON response. Failures are retried with growing pauses, limited by `patience`.
   * @throws GirderError
   */
  json<T>(schema: z.ZodType<T>, request: GirderRequest): Promise<T>;
  /**
   * Sends a request once, follows redirects, and returns the body unread; the caller must read it to the end or destroy it.
   * @throws GirderError also for a status of 400 and above
   */
  open(request: GirderRequest): Promise<Dispatcher.ResponseData>;
  /** The pauses of `json`, for callers with their own retry loop. */
  retries(signal: AbortSignal | undefined): Retries;
}

/** Response timeout, in milliseconds. */
const defaultAnswerMs = 60_000;
const jsonLimit = 64 * 1024 * 1024;
const errorLimit = 64 * 1024;

/** Creates a client of one Girder for one user. Cheap, because connections are shared. */
export function createGirderClient(options: GirderClientOptions): GirderClient {
  const { clock, log } = options;
  const apiUrl = mapApiUrl(options.apiUrl, options.apiUrlMap).replace(/\/+$/, '');
  const secretHeaders = {
    ...options.headers,
    ...(options.token === null ? {} : { 'Girder-Token': options.token }),
  };

  /** A client whose API URL is a resource uses an empty path; error texts then name the resource. */
  const shownPath = ({ path }: GirderRequest): string => path || apiUrl.split('/').slice(-2).join('/');

  async function open(request: GirderRequest): Promise<Dispatcher.ResponseData> {
    const home = requestUrl(apiUrl, request, options.params);
    let dispatcher = options.connections.dispatcher(options.connection);
    let url = home;
    let secrets = true;
    for (let hop = 0; ; hop += 1) {
      const summary = { method: request.method, path: shownPath(request), origin: url.origin };
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
        throw requestError(summary, error, request.signal);
      }
      if (answer.statusCode < 300) return answer;
      if (answer.statusCode >= 400) {
        const text = await readText(answer, errorLimit, summary, request.signal);
        // a response from another path, such as a login page, does not answer this request
        if (url.pathname !== home.pathname) throw redirectedError(summary, url, answer.statusCode);
        throw responseError(summary, answer.statusCode, text.slice(0, errorLimit), {
          retryAfter: retryAfterOf(answer),
          tokenIsGood: answer.statusCode === 401 ? await isTokenGood(request) : null,
        });
      }
      const next = await followRedirect(answer, { summary, home, from: url, hop });
      url = next.url;
      if (!next.isHome) {
        secrets = false;
        // another host gets default connection options, without the client certificate
        dispatcher = options.connections.dispatcher();
      }
    }
  }

  /**
   * Girder rejects an expired token and one with the wrong scope in the same way, so this asks about the token itself. Null if
   * Girder does not say, or for the token of a Girder job, whose client knows the URL of the job only.
   */
  async function isTokenGood({ path, signal }: GirderRequest): Promise<boolean | null> {
    if (options.token === null || path === tokenPath) return null;
    return readToken({ json }, signal).then(
      (facts) => facts !== null,
      () => null,
    );
  }

  const json: GirderClient['json'] = async (schema, request) => {
    const summary = { method: request.method, path: shownPath(request), origin: originOf(apiUrl) };
    const retries = retriesFor(request);
    for (;;) {
      try {
        const parsed = parseAnswer(schema, await answerText(request, summary), summary);
        retries.reset();
        return parsed;
      } catch (error) {
        await retries.wait(error);
        if (request.signal?.aborted === true) throw abortedError(summary);
      }
    }
  };

  /** Limits the time for the whole response: a server that sends single bytes must not block a run forever. */
  async function answerText(request: GirderRequest, summary: RequestSummary): Promise<string> {
    const ms = request.answerMs ?? defaultAnswerMs;
    if (request.body === undefined) {
      return within(ms, request.signal, async (signal) =>
        readText(await open({ ...request, signal }), jsonLimit, summary, signal),
      );
    }
    // no time limit for sending the body
    const answer = await open(request);
    return within(ms, request.signal, async (signal) => readText(answer, jsonLimit, summary, signal));
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

/** A client with the access that a transform of a message carries. */
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
    throw new GirderError('The Girder API URL of this task is not an http or https URL.', {
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

/** Checks before each chunk of a long upload that this worker may still write. */
async function* whileAllowed(
  body: Readable,
  mayWrite: GirderConnections['mayWrite'],
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    await mayWrite();
    yield chunk;
  }
}

function requestError(summary: RequestSummary, error: unknown, signal: AbortSignal | undefined): GirderError {
  if (signal?.aborted !== true) return connectionError(summary, error);
  return signal.reason instanceof TooSlow ? connectionError(summary, signal.reason) : abortedError(summary);
}

class TooSlow extends Error {}

/** Runs `work` with a signal that aborts with `other` or after `ms` milliseconds. */
async function within<T>(
  ms: number,
  other: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new TooSlow(`no complete response within ${ms / 1_000} s`)), ms);
  try {
    return await work(other === undefined ? late.signal : AbortSignal.any([other, late.signal]));
  } finally {
    clearTimeout(timer);
  }
}

async function readText(
  answer: Dispatcher.ResponseData,
  limit: number,
  summary: RequestSummary,
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
    throw requestError(summary, error, signal);
  } finally {
    signal?.removeEventListener('abort', stop);
  }
  if (length > limit && answer.statusCode < 300) {
    throw new GirderError(
      `The response of ${summary.origin} to ${summary.method} ${summary.path} is too large.`,
      {
        kind: 'not-girder',
        status: answer.statusCode,
      },
    );
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseAnswer<T>(schema: z.ZodType<T>, text: string, summary: RequestSummary): T {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw unexpectedResponseError(summary, text);
  }
  const checked = schema.safeParse(parsed);
  if (!checked.success) throw unexpectedResponseError(summary, '{}', checked.error);
  return checked.data;
}

function retryAfterOf(answer: Dispatcher.ResponseData): number | undefined {
  const value = Number(answer.headers['retry-after']);
  return Number.isFinite(value) && value >= 0 ? value : undefined;
}
