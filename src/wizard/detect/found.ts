/** Result of a detection: a value, or the reason why there is none, which follows `not found: `. */
export type Found<T> = { found: true; value: T } | { found: false; reason: string };

export const found = <T>(value: T): Found<T> => ({ found: true, value });

export const missing = (reason: string): { found: false; reason: string } => ({ found: false, reason });
