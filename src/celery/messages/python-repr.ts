/** The way Python's repr would show a text; cut at `longest` characters. */
export function pythonText(text: string, longest = 200): string {
  const escaped = text.slice(0, longest).replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  if (!escaped.includes("'")) return `'${escaped}'`;
  return escaped.includes('"') ? `'${escaped.replaceAll("'", "\\'")}'` : `"${escaped}"`;
}
