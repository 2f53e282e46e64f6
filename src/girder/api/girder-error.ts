import { DsaSlurmError, systemCode } from '../../base/errors.js';

/** What kind of trouble it was, so that callers need no status numbers. */
export type GirderErrorKind =
  /** no connection, a broken one, or no answer in time */
  | 'unreachable'
  /** 408, 429 and 5xx */
  | 'busy'
  /** 401 and 403; {@link GirderError.access} says more */
  | 'access'
  /** 404, and Girder's own 400 for an id that is not there */
  | 'missing'
  /** any other 4xx */
  | 'refused'
  /** an answer that is not Girder's: a web page, nothing, or JSON of another shape */
  | 'not-girder'
  /** the caller's signal */
  | 'aborted';

/**
 * Why Girder refuses access. It says 401 where a token stands for no user: an expired one is deleted, and one whose scope
 * does not cover the question counts as none. 403 is for a user who is known and has no right.
 */
export type AccessProblem =
  /** the token has expired, was withdrawn or never was one */
  | 'expired'
  /** the token is good, but for something else */
  | 'scope'
  /** the user has no such right */
  | 'denied';

export interface GirderErrorDetails {
  kind: GirderErrorKind;
  /** Set where `trouble` is `access`. */
  access?: AccessProblem;
  /** HTTP status, if there was an answer. */
  status?: number;
  /** Girder's own words: `type`, `field` and `message` of its error document. */
  type?: string;
  field?: string;
  girderMessage?: string;
  /** Seconds, from `Retry-After`. */
  retryAfter?: number;
  next?: string;
  cause?: unknown;
}

/** Trouble with Girder's REST API. Never holds a token, neither in the sentence nor in its facts. */
export class GirderError extends DsaSlurmError {
  readonly kind: GirderErrorKind;
  readonly access: AccessProblem | null;
  readonly status: number | null;
  readonly type: string | null;
  readonly field: string | null;
  readonly girderMessage: string | null;
  readonly retryAfter: number | null;

  constructor(message: string, facts: GirderErrorDetails) {
    super('girder', message, {
      ...(facts.next === undefined ? {} : { next: facts.next }),
      ...(facts.cause === undefined ? {} : { cause: facts.cause }),
    });
    this.kind = facts.kind;
    this.access = facts.access ?? null;
    this.status = facts.status ?? null;
    this.type = facts.type ?? null;
    this.field = facts.field ?? null;
    this.girderMessage = facts.girderMessage ?? null;
    this.retryAfter = facts.retryAfter ?? null;
  }

  /** Waiting may mend it. */
  get transient(): boolean {
    return this.kind === 'unreachable' || this.kind === 'busy';
  }
}

/** Where and what was asked, for error texts: the origin only, because a query may hold anything. */
export interface RequestSummary {
  method: string;
  path: string;
  origin: string;
}

const hints: Partial<Record<GirderErrorKind, string>> = {
  unreachable: 'Check that Girder runs, that its API URL is right and that this host can reach it.',
  'not-girder': 'Check the API URL: it ends in /api/v1.',
};

/** What to do about an expired token. */
export const expiredAdvice = 'The tokens of an analysis live for 7 days: start it again.';

const accessHints: Record<AccessProblem, string> = {
  expired: expiredAdvice,
  scope:
    'Start the analysis again; if Girder says the same then, show this to the people who run it: the token is made for something else.',
  denied: 'Whoever started the analysis has to be given that right in Girder; then start it again.',
};

/**
 * The error for an answer of status 400 and up. `text` is the beginning of its body; `tokenIsGood` is what Girder says of
 * the token itself, where it was asked: its 401 alone does not always tell.
 */
export function responseError(
  asked: RequestSummary,
  status: number,
  text: string,
  { retryAfter, tokenIsGood }: { retryAfter?: number | undefined; tokenIsGood?: boolean | null } = {},
): GirderError {
  const document = parseError(text);
  const said = document.message ?? (looksLikePage(text) ? 'a web page' : oneLine(text, 200));
  const trouble = troubleOf(status, document);
  const what = `${asked.method} ${asked.path}`;
  // the sentence around them has its own full stop
  const quoted = said.replace(/\.+$/, '');
  const words = `${status}${quoted === '' ? '' : `: ${quoted}`}`;
  const access = accessTroubleOf(status, said, tokenIsGood ?? null);
  const sentence = {
    busy: `Girder at ${asked.origin} is in trouble: ${what} was answered with ${words}.`,
    access: {
      // what Girder says then is about scopes, or about logging in: neither is the point
      expired: `The token for ${what} has expired or was withdrawn (${status}).`,
      scope: `The token for ${what} is meant for something else, says Girder (${words}).`,
      denied: `The user has no right at Girder to ${what} (${words}).`,
    }[access],
    missing: `Girder has nothing at ${what} (${words}).`,
    refused: `Girder refused ${what} (${words}).`,
    'not-girder': `${asked.origin} answered ${what} with ${words}.`,
  }[trouble];
  const next = trouble === 'access' ? accessHints[access] : hints[trouble];
  return new GirderError(sentence, {
    kind: trouble,
    ...(trouble === 'access' ? { access } : {}),
    status,
    ...document,
    girderMessage: said,
    ...(retryAfter === undefined ? {} : { retryAfter }),
    ...(next === undefined ? {} : { next }),
  });
}

function troubleOf(
  status: number,
  document: ErrorDocument,
): Exclude<GirderErrorKind, 'unreachable' | 'aborted'> {
  if (status === 408 || status === 429 || status >= 500) return 'busy';
  // only Girder's own word counts as final: a proxy in front of it may say 403 or 404 while Girder is away
  if (document.type === undefined || document.message === undefined) return 'not-girder';
  if (status === 401 || status === 403) return 'access';
  if (status === 404 || (document.type === 'rest' && /^Invalid \w+ id /.test(document.message ?? ''))) {
    return 'missing';
  }
  return 'refused';
}

/** From Girder's words (girder/api/rest.py): only for a scope it says 401 and names it. */
function accessTroubleOf(status: number, said: string, tokenIsGood: boolean | null): AccessProblem {
  if (status === 403) return 'denied';
  if (tokenIsGood === true) return 'scope';
  // a token that is gone allows nothing: the list after "Allowed:" is empty then
  return said.startsWith('Invalid token scope') && !/\bAllowed:$/.test(said) ? 'scope' : 'expired';
}

/** Whether Girder answered, with a certificate that nobody vouches for here. */
export function isUntrustedCertificate(error: unknown): boolean {
  return error instanceof GirderError && error.kind === 'unreachable' && isAboutTrust(error.cause);
}

function isAboutTrust(cause: unknown): boolean {
  return /CERT|SELF_SIGNED|UNABLE_TO_VERIFY/.test(systemCode(cause) ?? '');
}

/** The error for no answer at all, or for one that broke off. */
export function connectionError(asked: RequestSummary, cause: unknown): GirderError {
  return new GirderError(`Girder at ${asked.origin} could not be reached (${connectionWords(cause)}).`, {
    kind: 'unreachable',
    next: isAboutTrust(cause)
      ? 'Its certificate is not trusted here: name the file of its authority in the setting girder.caFile.'
      : (hints.unreachable ?? ''),
    cause,
  });
}

/** Node joins the failures of several addresses in one AggregateError, whose own message is empty. */
function connectionWords(cause: unknown): string {
  if (cause instanceof AggregateError && cause.errors.length > 0) return connectionWords(cause.errors[0]);
  const words = cause instanceof Error ? oneLine(cause.message, 200) : '';
  return words === '' ? (systemCode(cause) ?? 'no answer') : words;
}

/** The error for a 2xx answer that Girder would not give. */
export function unexpectedAnswerError(asked: RequestSummary, text: string, cause?: unknown): GirderError {
  const what = looksLikePage(text)
    ? 'a web page: is the API URL right?'
    : text.trim() === ''
      ? 'nothing.'
      : 'something that Girder would not say.';
  return new GirderError(`${asked.origin} answered ${asked.method} ${asked.path} with ${what}`, {
    kind: 'not-girder',
    next: hints['not-girder'] ?? '',
    ...(cause === undefined ? {} : { cause }),
  });
}

export function abortedError(asked: RequestSummary): GirderError {
  return new GirderError(`${asked.method} ${asked.path} at Girder was given up.`, { kind: 'aborted' });
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

function looksLikePage(text: string): boolean {
  return text.trimStart().startsWith('<');
}

/** Answers are not ours: no line breaks or terminal controls, and not at any length. */
function oneLine(text: string, length: number): string {
  return text
    .slice(0, length)
    .replaceAll(/[\p{Cc}\p{Cs}]+/gu, ' ')
    .trim();
}
