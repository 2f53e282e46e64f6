import type { Dispatcher } from 'undici';
import { GirderError, type RequestSummary } from './girder-error.js';

const redirectLimit = 5;

/** A redirect response to one request. */
interface RedirectStep {
  summary: RequestSummary;
  /** The original URL of the request. */
  home: URL;
  /** The URL that redirected, and how many redirects came before it. */
  from: URL;
  hop: number;
}

/**
 * Discards the body of a redirect and returns its target. Method and body are kept, for 301 and 302 too: proxies redirect from
 * http to https with them, and an update that turned into a GET, as in Python, would appear to have succeeded.
 * @returns `isHome`: whether the target is the same Girder, which may receive our secrets
 * @throws GirderError for an unusable target, and for a modifying request redirected to another host
 */
export async function followRedirect(
  answer: Dispatcher.ResponseData,
  { summary, home, from, hop }: RedirectStep,
): Promise<{ url: URL; isHome: boolean }> {
  await answer.body
    .dump({ limit: 16_384, signal: AbortSignal.timeout(5_000) })
    .catch(() => answer.body.destroy());
  const { location } = answer.headers;
  const url = typeof location === 'string' ? URL.parse(location, from.href) : null;
  const { method, path, origin } = summary;
  const status = answer.statusCode;
  if (url === null || !/^https?:$/.test(url.protocol) || hop >= redirectLimit) {
    throw notGirder(`${origin} answered ${method} ${path} with an unusable redirect.`, status);
  }
  const isHome = keepsSecrets(home, url);
  if (method !== 'GET') {
    // a 303 points to a page and means that nothing was changed
    if (status === 303) throw notGirder(`${origin} redirected ${method} ${path} to another page.`, status);
    if (!isHome) throw notGirder(`${origin} redirected ${method} ${path} to another host.`, status);
  }
  return { url, isHome };
}

/** The same origin, or the same host if a proxy redirects from http to https. */
function keepsSecrets(home: URL, next: URL): boolean {
  if (next.origin === home.origin) return true;
  return home.protocol === 'http:' && next.protocol === 'https:' && next.hostname === home.hostname;
}

/** The error for a status of 400 and above that came from the target of a redirect. */
export function redirectedError(
  { method, path, origin }: RequestSummary,
  to: URL,
  status: number,
): GirderError {
  return notGirder(
    `${origin} redirected ${method} ${path} to ${to.origin}, which answered ${status}.`,
    status,
  );
}

function notGirder(message: string, status: number): GirderError {
  return new GirderError(message, {
    kind: 'not-girder',
    status,
    next: 'Check the API URL: it ends in /api/v1.',
  });
}
