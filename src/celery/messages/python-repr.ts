/** The way Python's repr would show a text; cut at `longest` characters. */
export function pythonRepr(text: string, maxLength = 200): string {
  const escaped = text.slice(0, maxLength).replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  if (!escaped.includes("'")) return `'${escaped}'`;
  return escaped.includes('"') ? `'${escaped.replaceAll("'", "\\'")}'` : `"${escaped}"`;
}
