// Syntax here must work in Node 14: see main.ts.

/** Whether a version (`24.15.0`) satisfies a range of the forms used in `engines`: `^1.2.3` and `>=1`, joined by `||`. */
export function nodeFits(version: string, range: string): boolean {
  return range.split('||').some(function (part) {
    const match = /^\s*(\^|>=)\s*([\d.]+)\s*$/.exec(part);
    if (match === null) return false;
    const from = String(match[2]);
    return atLeast(version, from) && (match[1] === '>=' || version.split('.')[0] === from.split('.')[0]);
  });
}

function atLeast(version: string, from: string): boolean {
  const actual = version.split('.').map(Number);
  const minimum = from.split('.').map(Number);
  for (let i = 0; i < 3; i += 1) {
    const difference = (actual[i] || 0) - (minimum[i] || 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}
