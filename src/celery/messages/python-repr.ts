/** A string as Python's `repr` shows it, truncated to `maxLength` characters. */
export function pythonStringRepr(text: string, maxLength = 200): string {
  const escaped = text.slice(0, maxLength).replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  if (!escaped.includes("'")) return `'${escaped}'`;
  return escaped.includes('"') ? `'${escaped.replaceAll("'", "\\'")}'` : `"${escaped}"`;
}
