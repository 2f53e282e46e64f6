import type { Dispatcher } from 'undici';
import { GirderError, type RequestSummary } from './girder-error.js';

const redirectLimit = 5;

/** Where a redirect stands in the way of one request. */
export interface RedirectStep {
  asked: RequestSummary;
  /** Where the request was meant to go. */
  home: URL;
  /** Where it was sent by now, and after how many redirects. */
  from: URL;
  hop: number;
}

/**
 * Where a redirect leads, its answer's body being done away with. Method and body stay the same, with 301 and 302 too: a
 * proxy sends us from http to https with them, and an update that became a question on the way, as in Python, would
 * seem to have been heard. `isHome`: the same Girder, so that our secrets may go there.
 * @throws GirderError for one that leads nowhere, and for a change that is to go to another host
 */
export async function followRedirect(
  answer: Dispatcher.ResponseData,
  { asked, home, from, hop }: RedirectStep,
): Promise<{ url: URL; isHome: boolean }> {
  await answer.body
    .dump({ limit: 16_384, signal: AbortSignal.timeout(5_000) })
    .catch(() => answer.body.destroy());
  const { location } = answer.headers;
  const url = typeof location === 'string' ? URL.parse(location, from.href) : null;
  const { method, path, origin } = asked;
  const status = answer.statusCode;
  if (url === null || !/^https?:$/.test(url.protocol) || hop >= redirectLimit) {
    throw strange(`${origin} answered ${method} ${path} with a redirect to nowhere.`, status);
  }
  const isHome = keepsSecrets(home, url);
  if (method !== 'GET') {
    // a page about what was changed: nothing was
    if (status === 303)
      throw strange(`${origin} answered ${method} ${path} by showing another page.`, status);
    if (!isHome) throw strange(`Girder wants ${method} ${path} to go to another host.`, status);
  }
  // a file that is a link, or lies in an object store: anyone's host, so it gets nothing of ours
  return { url, isHome };
}

/** The same origin, or the same host when a proxy sends us from http to https. */
function keepsSecrets(home: URL, next: URL): boolean {
  if (next.origin === home.origin) return true;
  return home.protocol === 'http:' && next.protocol === 'https:' && next.hostname === home.hostname;
}

/** The error for one of status 400 and up that somebody else gave than whom we asked. */
export function redirectedError(
  { method, path, origin }: RequestSummary,
  to: URL,
  status: number,
): GirderError {
  return strange(
    `${origin} sent ${method} ${path} on to ${to.origin}, which answered with ${status}.`,
    status,
  );
}

function strange(message: string, status: number): GirderError {
  return new GirderError(message, {
    kind: 'not-girder',
    status,
    next: 'Check the API URL: it ends in /api/v1.',
  });
}
