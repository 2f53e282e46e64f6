/**
 * Characters that JSON leaves as they are and that change what a terminal shows: C1 control characters, which some
 * terminals obey like escape sequences, and those that reorder text.
 */
const unprintable = /[\u007F-\u009F\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069]/g;

/** JSON text in which such characters are escaped; it means the same. */
export function escapeUnprintable(json: string): string {
  return json.replaceAll(unprintable, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** `JSON.stringify` for a terminal. */
export function printableJson(value: unknown, indent?: number): string {
  return escapeUnprintable(JSON.stringify(value, null, indent));
}
