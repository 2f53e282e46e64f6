type Tagged = { '!': string; value: unknown };

/**
 * Message headers for a reader in Python. amqplib writes a whole number in as few bytes as it needs, and Celery's
 * py-amqp takes the tag of one with 16 bits for that of a short text, after which it can read nothing. So whole numbers
 * have 32 or 64 bits here, as Celery itself writes them; and whatever a message had in its headers can be written again.
 */
export function celeryHeaders(headers: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, forCelery(value)]));
}

function forCelery(value: unknown): unknown {
  if (typeof value === 'number') return { '!': numberType(value), value } satisfies Tagged;
  if (Array.isArray(value)) return value.map(forCelery);
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value;
  if (isTagged(value)) return value;
  const table = celeryHeaders(value as Record<string, unknown>);
  // a foreign table that only looks like a value with a type
  return '!' in table ? ({ '!': 'object', value: table } satisfies Tagged) : table;
}

function numberType(value: number): string {
  if (!Number.isSafeInteger(value)) return 'double';
  return value >= -0x80000000 && value < 0x80000000 ? 'int' : 'long';
}

/** What amqplib makes of the types that JavaScript does not have. */
function isTagged(value: object): boolean {
  const { '!': type, value: inner } = value as Partial<Tagged>;
  if (type === 'timestamp') return Number.isSafeInteger(inner) && Number(inner) >= 0;
  if (type !== 'decimal' || typeof inner !== 'object' || inner === null) return false;
  const { places, digits } = inner as { places?: unknown; digits?: unknown };
  return isUnsigned(places, 8) && isUnsigned(digits, 32);
}

function isUnsigned(value: unknown, bits: number): boolean {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) < 2 ** bits;
}
