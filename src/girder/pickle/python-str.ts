import { WholeFloat } from '../../base/text/python-json.js';
import type { Pickled } from './pickled.js';
import { isObjectId } from '../protocol/read-fields.js';

/**
 * Python's `str()` of a scalar, which girder_worker applies to container arguments; null for values that cannot be
 * command-line arguments.
 */
export function pythonStr(value: Pickled): string | null {
  if (typeof value === 'string') return value;
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number') return pythonNumber(value);
  if (value instanceof WholeFloat) return pythonWholeFloat(value.value);
  return isObjectId(value) ? value.hex : null;
}

function pythonWholeFloat(value: number): string {
  const text = Object.is(value, -0) ? '-0' : pythonNumber(value);
  return text.includes('e') ? text : `${text}.0`;
}

function pythonNumber(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  // Python uses exponents below 1e-4 and from 1e16, JavaScript below 1e-6 and from 1e21. Integers that JavaScript cannot
  // represent exactly are bigint, so a large number here was a float.
  const size = Math.abs(value);
  if (value === 0 || (size >= 1e-4 && size < 1e16)) return String(value);
  return value.toExponential().replace(/e(?<sign>[+-])(?<digit>\d)$/, 'e$<sign>0$<digit>');
}
