import type { Tagged } from './field-table.js';

/**
 * Message headers for a reader in Python. amqplib writes a whole number in as few bytes as it needs, and Celery's
 * py-amqp takes the tag of one with 16 bits for that of a short text, after which it can read nothing, and one with 64 bits
 * for a number without a sign. So whole numbers have 32 or 64 bits here, the great negative ones are floats; and whatever
 * a message had in its headers can be written again.
 */
export function celeryHeaders(headers: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, forCelery(value)]));
}

function forCelery(value: unknown): unknown {
  if (typeof value === 'number') return { '!': numberType(value), value } satisfies Tagged;
  if (Array.isArray(value)) return value.map(forCelery);
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value;
  if (isTagged(value)) return value;
  if (isLong(value))
    return value.value.startsWith('-') ? { '!': 'double', value: Number(value.value) } : value;
  const table = celeryHeaders(value as Record<string, unknown>);
  // a foreign table that only looks like a value with a type
  return '!' in table ? ({ '!': 'object', value: table } satisfies Tagged) : table;
}

function numberType(value: number): string {
  if (!Number.isSafeInteger(value)) return 'double';
  if (value < -0x80000000) return 'double';
  return value < 0x80000000 ? 'int' : 'long';
}

/** What is made of the types that JavaScript does not have. */
function isTagged(value: object): boolean {
  const { '!': type, value: inner } = value as Partial<Tagged>;
  if (type === 'timestamp') return Number.isSafeInteger(inner) && Number(inner) >= 0;
  if (type !== 'decimal' || typeof inner !== 'object' || inner === null) return false;
  const { places, digits } = inner as { places?: unknown; digits?: unknown };
  return isUnsigned(places, 8) && isUnsigned(digits, 32);
}

/** A whole number that JavaScript does not have, as its digits. */
function isLong(value: object): value is { '!': 'int64'; value: string } {
  const { '!': type, value: digits } = value as Partial<Tagged>;
  if (type !== 'int64' || typeof digits !== 'string' || !/^-?\d{1,19}$/.test(digits)) return false;
  return BigInt.asIntN(64, BigInt(digits)) === BigInt(digits);
}

function isUnsigned(value: unknown, bits: number): boolean {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) < 2 ** bits;
}
