/** Least squares: by how much y grows with each x. Null for fewer than three points, which tell nothing. */
export function slopeOf(points) {
  if (points.length < 3) return null;
  const mean = (index) => points.reduce((sum, point) => sum + point[index], 0) / points.length;
  const [meanX, meanY] = [mean(0), mean(1)];
  const over = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const under = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  return under === 0 ? 0 : over / under;
}

/** More than this per run, never freed, is a leak: 20,000 runs would hold 4 MB more. */
export const bytesAllowed = 200;
/** A connection that is kept open for a while, and the timer that closes it. */
const handlesAllowed = 5;

/**
 * @param bytes by how much the memory grows with each run; null if that is not known, which passes for nothing
 * @param handles how many more timers, sockets and processes there are when all runs are over than before the first one
 * @param allowed a few runs only show what is much: each of the newest 2,000 is remembered
 */
export function verdict(bytes, handles, allowed = bytesAllowed) {
  if (bytes === null)
    return { isFlat: false, text: 'Fewer than three samples: NOT KNOWN. Let it run longer.' };
  const isFlat = bytes <= allowed && handles <= handlesAllowed;
  const text = `${bytes.toFixed(0)} bytes more with each run, ${handles} handles more in the end: ${isFlat ? 'flat' : 'NOT FLAT'}`;
  return { isFlat, text };
}
