// Runs on any Node that knows modules, to say that it is too old: so no syntax here that is newer than that.

/** Whether a version (`24.15.0`) is in a range of the two forms that `engines` uses: `^1.2.3` and `>=1`, with `||`. */
export function nodeFits(version: string, range: string): boolean {
  return range.split('||').some(function (part) {
    const match = /^\s*(\^|>=)\s*([\d.]+)\s*$/.exec(part);
    if (match === null) return false;
    const from = String(match[2]);
    return atLeast(version, from) && (match[1] === '>=' || version.split('.')[0] === from.split('.')[0]);
  });
}

function atLeast(version: string, from: string): boolean {
  const have = version.split('.').map(Number);
  const need = from.split('.').map(Number);
  for (let i = 0; i < 3; i += 1) {
    const difference = (have[i] || 0) - (need[i] || 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}
