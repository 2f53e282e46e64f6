/**
 * Characters that JSON does not escape but that affect a terminal: C1 control characters, which some terminals interpret like
 * escape sequences, and characters that reorder text.
 */
const unprintable = /[\u007F-\u009F\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069]/g;

/** Escapes such characters in JSON text without changing its meaning. */
export function escapeUnprintable(json: string): string {
  return json.replaceAll(unprintable, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** `JSON.stringify` for output on a terminal. */
export function printableJson(value: unknown, indent?: number): string {
  return escapeUnprintable(JSON.stringify(value, null, indent));
}
