/** Compares planned files with what is there, and writes them. */
export { apply, type Applied, type ApplyOptions } from './apply.js';
export { compare, type Change, type CompareOptions } from './compare.js';
