import type { PickledDatetime } from './pickled.js';

/** The alphabet of Python's `base64.b85encode`. */
const base85Digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~';

/** Bytes of `py/b64`; null if the text is not base64. */
export function decodeBase64(text: string): Uint8Array | null {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return null;
  return new Uint8Array(Buffer.from(text, 'base64'));
}

/** Bytes of `py/b85`; null if the text is not base85. Five digits encode four bytes; a short last group is padded with `~`. */
export function decodeBase85(text: string): Uint8Array | null {
  const fill = (5 - (text.length % 5)) % 5;
  const padded = text + '~'.repeat(fill);
  const bytes = Buffer.alloc((padded.length / 5) * 4);
  for (let group = 0; group * 5 < padded.length; group += 1) {
    let value = 0;
    for (const digit of padded.slice(group * 5, group * 5 + 5)) {
      const weight = base85Digits.indexOf(digit);
      if (weight === -1) return null;
      value = value * 85 + weight;
    }
    if (value > 0xffff_ffff) return null;
    bytes.writeUInt32BE(value, group * 4);
  }
  return new Uint8Array(bytes.subarray(0, bytes.length - fill));
}

/**
 * A `datetime.datetime` from the ten bytes of its Python pickle: year (2), month (its top bit is the fold), day, hour,
 * minute, second, microsecond (3). Null if there are not ten bytes. A time zone is taken as UTC, the only one Girder writes.
 */
export function decodeDatetime(bytes: Uint8Array, zoned: boolean): PickledDatetime | null {
  if (bytes.length !== 10) return null;
  const data = Buffer.from(bytes);
  const at = (index: number) => digits(data.readUInt8(index), 2);
  const micros = data.readUIntBE(7, 3);
  const date = `${digits(data.readUInt16BE(0), 4)}-${digits(data.readUInt8(2) & 0x7f, 2)}-${at(3)}`;
  const fraction = micros === 0 ? '' : `.${digits(micros, 6)}`;
  return { kind: 'datetime', iso: `${date}T${at(4)}:${at(5)}:${at(6)}${fraction}${zoned ? '+00:00' : ''}` };
}

function digits(value: number, count: number): string {
  return String(value).padStart(count, '0');
}

/** The inverse of {@link decodeDatetime}, except for the fold: base64 of the ten bytes. */
export function encodeDatetime({ iso }: PickledDatetime): { bytes: string; zoned: boolean } {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, micros = 0] = iso
    .replace('+00:00', '')
    .split(/[-T:.]/)
    .map(Number);
  const data = Buffer.alloc(10);
  data.writeUInt16BE(year, 0);
  for (const [index, value] of [month, day, hour, minute, second].entries())
    data.writeUInt8(value, 2 + index);
  data.writeUIntBE(micros, 7, 3);
  return { bytes: data.toString('base64'), zoned: iso.endsWith('+00:00') };
}
