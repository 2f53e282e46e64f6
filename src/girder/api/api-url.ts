/**
 * Front parts of URLs as Girder publishes them, and what they are here: `http://localhost:8080` is
 * Girder's own view, and a compute node may need another. Like `GIRDER_WORKER_API_URL` of the Python worker, but
 * applied everywhere.
 */
export type ApiUrlMap = Readonly<Record<string, string>>;

/** `url` with its longest mapped front part replaced. Front parts end where a part of the URL ends. */
export function mapApiUrl(url: string, map: ApiUrlMap): string {
  let best: string | null = null;
  let replacement = '';
  for (const [from, to] of Object.entries(map)) {
    const front = from.replace(/\/+$/, '');
    const fits = url.startsWith(front) && ['', '/', '?'].includes(url.charAt(front.length));
    if (front !== '' && fits && (best === null || front.length > best.length)) {
      best = front;
      replacement = to.replace(/\/+$/, '');
    }
  }
  return best === null ? url : replacement + url.slice(best.length);
}

/**
 * One part of a path. Ids come from messages; one like `../user` must not reach another resource.
 * `.` and `..` would be resolved even when percent-encoded, so they get a harmless front.
 */
export function segment(text: string): string {
  return /^\.{0,2}$/.test(text) ? `_${text}` : encodeURIComponent(text.toWellFormed());
}
