/** Something that was looked for: there, or why it is not known. The reason is the end of `not found: …`. */
export type Found<T> = { found: true; value: T } | { found: false; reason: string };

export const found = <T>(value: T): Found<T> => ({ found: true, value });

export const missing = (reason: string): { found: false; reason: string } => ({ found: false, reason });
