/** Least squares: by how much y grows with each x. 0 for fewer than three points. */
export function slopeOf(points) {
  if (points.length < 3) return 0;
  const mean = (index) => points.reduce((sum, point) => sum + point[index], 0) / points.length;
  const [meanX, meanY] = [mean(0), mean(1)];
  const over = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const under = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  return under === 0 ? 0 : over / under;
}

/** More than this for a run, for good, is a leak: 20,000 runs would hold 4 MB more. */
const bytesAllowed = 200;
const handlesAllowed = 0.002;

/** @param bytes @param handles by how much they grow with each run */
export function verdict(bytes, handles) {
  const isFlat = bytes <= bytesAllowed && handles <= handlesAllowed;
  const text = `${bytes.toFixed(0)} bytes and ${handles.toFixed(4)} handles more with each run: ${isFlat ? 'flat' : 'NOT FLAT'}`;
  return { isFlat, text };
}
