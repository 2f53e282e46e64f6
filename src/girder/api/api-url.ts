/**
 * Replacements for the beginning of URLs, by the prefix that Girder publishes: `http://localhost:8080` is valid on Girder's
 * own host only. Like `GIRDER_WORKER_API_URL` of the Python worker, but applied everywhere.
 */
export type ApiUrlMap = Readonly<Record<string, string>>;

/** `url` with its longest matching prefix replaced. A prefix matches only up to a `/`, a `?` or the end. */
export function mapApiUrl(url: string, map: ApiUrlMap): string {
  let best: string | null = null;
  let replacement = '';
  for (const [from, to] of Object.entries(map)) {
    const prefix = from.replace(/\/+$/, '');
    const matches = url.startsWith(prefix) && ['', '/', '?'].includes(url.charAt(prefix.length));
    if (prefix !== '' && matches && (best === null || prefix.length > best.length)) {
      best = prefix;
      replacement = to.replace(/\/+$/, '');
    }
  }
  return best === null ? url : replacement + url.slice(best.length);
}

/**
 * Encodes one path segment. Ids come from messages, and one like `../user` must not reach another resource. `.` and `..` would
 * be resolved even if percent-encoded, so they get a prefix.
 */
export function segment(text: string): string {
  return /^\.{0,2}$/.test(text) ? `_${text}` : encodeURIComponent(text.toWellFormed());
}
