/** Compares planned files with existing ones, and writes them. */
export { apply, type Applied, type ApplyOptions } from './apply.js';
export { compare, type Change } from './compare.js';
