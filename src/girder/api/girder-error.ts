import { DsaSlurmError, systemCode } from '../../base/errors.js';

/** Classifies errors, so that callers need not know status codes. */
export type GirderErrorKind =
  /** no connection, a broken one, or no response in time */
  | 'unreachable'
  /** 408, 429 and 5xx */
  | 'busy'
  /** 401 and 403; {@link GirderError.access} says more */
  | 'access'
  /** 404, and Girder's 400 for an unknown id */
  | 'missing'
  /** any other 4xx */
  | 'refused'
  /** a response that does not come from Girder: a web page, an empty body, or JSON of another shape */
  | 'not-girder'
  /** aborted by the caller's signal */
  | 'aborted';

/**
 * Why Girder denies access. It responds 401 if a token does not identify a user: expired tokens are deleted, and a token
 * whose scope does not cover the request is ignored. It responds 403 to a known user who lacks the permission.
 */
type AccessProblem =
  /** the token expired, was revoked or never existed */
  | 'expired'
  /** the token is valid, but not for this request */
  | 'scope'
  /** the user lacks the permission */
  | 'denied';

interface GirderErrorDetails {
  kind: GirderErrorKind;
  /** Set if `kind` is `access`. */
  access?: AccessProblem;
  /** HTTP status, if there was a response. */
  status?: number;
  /** `type`, `field` and `message` of Girder's error document. */
  type?: string;
  field?: string;
  girderMessage?: string;
  /** Seconds, from `Retry-After`. */
  retryAfter?: number;
  next?: string;
  cause?: unknown;
}

/** A failed request to Girder's REST API. Contains no token, neither in the message nor in its fields. */
export class GirderError extends DsaSlurmError {
  readonly kind: GirderErrorKind;
  readonly access: AccessProblem | null;
  readonly status: number | null;
  readonly type: string | null;
  readonly field: string | null;
  readonly girderMessage: string | null;
  readonly retryAfter: number | null;

  constructor(message: string, details: GirderErrorDetails) {
    super('girder', message, {
      ...(details.next === undefined ? {} : { next: details.next }),
      ...(details.cause === undefined ? {} : { cause: details.cause }),
    });
    this.kind = details.kind;
    this.access = details.access ?? null;
    this.status = details.status ?? null;
    this.type = details.type ?? null;
    this.field = details.field ?? null;
    this.girderMessage = details.girderMessage ?? null;
    this.retryAfter = details.retryAfter ?? null;
  }

  /** A retry may succeed. */
  get transient(): boolean {
    return this.kind === 'unreachable' || this.kind === 'busy';
  }
}

/** A request as shown in error texts: with the origin only, because a query may contain secrets. */
export interface RequestSummary {
  method: string;
  path: string;
  origin: string;
}

const adviceByKind: Partial<Record<GirderErrorKind, string>> = {
  unreachable: 'Check that Girder is running, that its API URL is correct and that this host can reach it.',
  'not-girder': 'Check the API URL: it ends in /api/v1.',
};

/** What to do about an expired token. */
export const expiredAdvice = 'The tokens of an analysis are valid for 7 days: start it again.';

const accessAdvice: Record<AccessProblem, string> = {
  expired: expiredAdvice,
  scope:
    'Start the analysis again; if this error returns, report it to the administrators of Girder: they issued a token that is not valid for this request.',
  denied: 'Give the user who started the analysis that permission in Girder, then start the analysis again.',
};

/**
 * The error for a response with status 400 and above.
 * @param text the beginning of the body
 * @param options.tokenIsGood whether Girder knows the token, if it was queried: a 401 alone does not always tell
 */
export function responseError(
  summary: RequestSummary,
  status: number,
  text: string,
  { retryAfter, tokenIsGood }: { retryAfter?: number | undefined; tokenIsGood?: boolean | null } = {},
): GirderError {
  const document = parseError(text);
  const girderMessage = document.message ?? (isWebPage(text) ? 'a web page' : oneLine(text, 200));
  const kind = kindOf(status, document);
  const what = `${summary.method} ${summary.path}`;
  // the sentence around it has its own period
  const quoted = girderMessage.replace(/\.+$/, '');
  const answer = `${status}${quoted === '' ? '' : `: ${quoted}`}`;
  const access = accessProblemOf(status, girderMessage, tokenIsGood ?? null);
  const sentence = {
    busy: `Girder at ${summary.origin} cannot answer ${what} at present (${answer}).`,
    access: {
      // Girder's own message would mislead here: it is about scopes or logging in
      expired: `The token for ${what} has expired or was revoked (${status}).`,
      scope: `The token is not valid for ${what} (${answer}).`,
      denied: `The user has no permission in Girder for ${what} (${answer}).`,
    }[access],
    missing: `Girder did not find ${what} (${answer}).`,
    refused: `Girder rejected ${what} (${answer}).`,
    'not-girder': `${summary.origin} answered ${what} with ${answer}.`,
  }[kind];
  const next = kind === 'access' ? accessAdvice[access] : adviceByKind[kind];
  return new GirderError(sentence, {
    kind,
    ...(kind === 'access' ? { access } : {}),
    status,
    ...document,
    girderMessage,
    ...(retryAfter === undefined ? {} : { retryAfter }),
    ...(next === undefined ? {} : { next }),
  });
}

function kindOf(
  status: number,
  document: ErrorDocument,
): Exclude<GirderErrorKind, 'unreachable' | 'aborted'> {
  if (status === 408 || status === 429 || status >= 500) return 'busy';
  // only Girder's own errors are final: a proxy in front of it may respond 403 or 404 while Girder is down
  if (document.type === undefined || document.message === undefined) return 'not-girder';
  if (status === 401 || status === 403) return 'access';
  if (status === 404 || (document.type === 'rest' && /^Invalid \w+ id /.test(document.message ?? ''))) {
    return 'missing';
  }
  return 'refused';
}

/** From Girder's message (girder/api/rest.py), which names the scope only if that is the problem. */
function accessProblemOf(status: number, girderMessage: string, tokenIsGood: boolean | null): AccessProblem {
  if (status === 403) return 'denied';
  if (tokenIsGood === true) return 'scope';
  // for a deleted token the list after "Allowed:" is empty
  return girderMessage.startsWith('Invalid token scope') && !/\bAllowed:$/.test(girderMessage)
    ? 'scope'
    : 'expired';
}

/** Whether the connection failed because this host does not trust Girder's certificate. */
export function isUntrustedCertificate(error: unknown): boolean {
  return error instanceof GirderError && error.kind === 'unreachable' && isAboutTrust(error.cause);
}

function isAboutTrust(cause: unknown): boolean {
  return /CERT|SELF_SIGNED|UNABLE_TO_VERIFY/.test(systemCode(cause) ?? '');
}

/** The error for no response, or for one that broke off. */
export function connectionError(summary: RequestSummary, cause: unknown): GirderError {
  return new GirderError(`Girder at ${summary.origin} could not be reached (${causeText(cause)}).`, {
    kind: 'unreachable',
    next: isAboutTrust(cause)
      ? 'Its certificate is not trusted here: set girder.caFile to the certificate of its authority.'
      : (adviceByKind.unreachable ?? ''),
    cause,
  });
}

/** For several addresses, Node throws one AggregateError with an empty message. */
function causeText(cause: unknown): string {
  if (cause instanceof AggregateError && cause.errors.length > 0) return causeText(cause.errors[0]);
  const text = cause instanceof Error ? oneLine(cause.message, 200) : '';
  return text === '' ? (systemCode(cause) ?? 'no answer') : text;
}

/** The error for a 2xx response that cannot come from Girder. */
export function unexpectedResponseError(summary: RequestSummary, text: string, cause?: unknown): GirderError {
  const what = isWebPage(text)
    ? 'a web page.'
    : text.trim() === ''
      ? 'an empty response.'
      : 'a response that does not come from Girder.';
  return new GirderError(`${summary.origin} answered ${summary.method} ${summary.path} with ${what}`, {
    kind: 'not-girder',
    next: adviceByKind['not-girder'] ?? '',
    ...(cause === undefined ? {} : { cause }),
  });
}

export function abortedError(summary: RequestSummary): GirderError {
  return new GirderError(`${summary.method} ${summary.path} was aborted.`, { kind: 'aborted' });
}

interface ErrorDocument {
  type?: string;
  field?: string;
  message?: string;
}

function parseError(text: string): ErrorDocument {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed !== 'object' || parsed === null) return {};
    const facts: ErrorDocument = {};
    for (const name of ['type', 'field', 'message'] as const) {
      const value = (parsed as Record<string, unknown>)[name];
      if (typeof value === 'string') facts[name] = oneLine(value, 500);
    }
    return facts;
  } catch {
    return {};
  }
}

function isWebPage(text: string): boolean {
  return text.trimStart().startsWith('<');
}

/** Responses are untrusted: removes line breaks and terminal controls, and limits the length. */
function oneLine(text: string, length: number): string {
  return text
    .slice(0, length)
    .replaceAll(/[\p{Cc}\p{Cs}]+/gu, ' ')
    .trim();
}
