/**
 * What has to be done to one view to get the next one. Only what changed is in it, and whoever applies it keeps the rest
 * as it is, so that unchanged parts keep their identity at both ends of a socket. Plain JSON.
 */
export type Patch =
  /** Something else altogether. */
  | { v: unknown }
  /** An object: its parts that changed, and the names that are gone. */
  | { o: Record<string, Patch>; x?: string[] }
  /** An array, from its beginning to its end. */
  | { a: ArrayStep[] };

export type ArrayStep =
  /** So many items of the array before, from this one on. */
  | [from: number, count: number]
  /** Items that were not there. */
  | { v: unknown[] }
  /** An item of the array before, changed. */
  | { i: number; p: Patch };

/** What makes `after` of `before`; null where they are the same. Views are JSON, and never changed in place. */
export function diff(before: unknown, after: unknown): Patch | null {
  if (Object.is(before, after)) return null;
  if (Array.isArray(before) && Array.isArray(after)) return diffArrays(before, after);
  if (isObject(before) && isObject(after)) return diffObjects(before, after);
  return { v: after };
}

/** @throws TypeError if `patch` is none, or none for `before` */
export function applyPatch(before: unknown, patch: unknown): unknown {
  if (!isObject(patch)) throw new TypeError('no patch');
  if ('v' in patch) return patch['v'];
  const { o, x, a } = patch;
  if (isObject(o) && isObject(before)) return applyToObject(before, o, x);
  if (Array.isArray(a) && Array.isArray(before)) return a.flatMap((step) => applyStep(before, step));
  throw new TypeError('a patch that does not fit');
}

type JsonObject = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function diffObjects(before: JsonObject, after: JsonObject): Patch | null {
  const changed: [string, Patch][] = [];
  for (const [key, value] of Object.entries(after)) {
    const patch = Object.hasOwn(before, key) ? diff(before[key], value) : { v: value };
    if (patch !== null) changed.push([key, patch]);
  }
  const gone = Object.keys(before).filter((key) => !Object.hasOwn(after, key));
  if (changed.length === 0 && gone.length === 0) return null;
  // not by assignment: the name may be `__proto__`
  return { o: Object.fromEntries(changed), ...(gone.length === 0 ? {} : { x: gone }) };
}

function applyToObject(before: JsonObject, changed: JsonObject, gone: unknown): JsonObject {
  const parts = new Map(Object.entries(before));
  if (Array.isArray(gone)) for (const key of gone) parts.delete(String(key));
  for (const [key, patch] of Object.entries(changed)) parts.set(key, applyPatch(parts.get(key), patch));
  return Object.fromEntries(parts);
}

function diffArrays(before: readonly unknown[], after: readonly unknown[]): Patch | null {
  const steps: ArrayStep[] = [];
  const find = createFinder(before);
  /** Where the next item most likely stood: after the one before it. */
  let next = 0;
  for (const item of after) {
    const from = before[next] === item && next < before.length ? next : find(item);
    if (from === null) {
      addNew(steps, item);
      continue;
    }
    next = from + 1;
    const patch = diff(before[from], item);
    if (patch === null) addKept(steps, from);
    else if ('v' in patch) addNew(steps, item);
    else steps.push({ i: from, p: patch });
  }
  return isWhole(steps, before.length) && after.length === before.length ? null : { a: steps };
}

function isWhole(steps: readonly ArrayStep[], length: number): boolean {
  const [only, ...others] = steps;
  if (only === undefined) return true;
  return others.length === 0 && Array.isArray(only) && only[0] === 0 && only[1] === length;
}

function addKept(steps: ArrayStep[], from: number): void {
  const last = steps.at(-1);
  if (Array.isArray(last) && last[0] + last[1] === from) last[1] += 1;
  else steps.push([from, 1]);
}

function addNew(steps: ArrayStep[], item: unknown): void {
  const last = steps.at(-1);
  if (last !== undefined && 'v' in last) last.v.push(item);
  else steps.push({ v: [item] });
}

function applyStep(before: readonly unknown[], step: unknown): unknown[] {
  if (Array.isArray(step)) {
    const [from, count] = step as unknown[];
    if (!isIndex(from, before) || typeof count !== 'number' || count > before.length - from) throw misfit();
    return before.slice(from, from + count);
  }
  if (!isObject(step)) throw misfit();
  const { v, i, p } = step;
  if (Array.isArray(v)) return v;
  if (!isIndex(i, before)) throw misfit();
  return [applyPatch(before[i], p)];
}

function isIndex(value: unknown, array: readonly unknown[]): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < array.length;
}

function misfit(): TypeError {
  return new TypeError('a step of a patch that does not fit');
}

/** Where an item stood before: itself, or an older version of it by its name. Looks only where somebody asks. */
function createFinder(before: readonly unknown[]): (item: unknown) => number | null {
  let places: Map<unknown, number> | null = null;
  return (item) => {
    if (places === null) {
      places = new Map();
      // backwards, so that the first of several equals counts
      for (let index = before.length - 1; index >= 0; index--) {
        places.set(before[index], index);
        const name = nameOf(before[index]);
        if (name !== null) places.set(name, index);
      }
    }
    return places.get(item) ?? places.get(nameOf(item) ?? item) ?? null;
  };
}

/** By what an item is known from one view to the next. A wrong guess costs bytes and nothing else. */
function nameOf(item: unknown): string | null {
  if (!isObject(item)) return null;
  const { id, name, file } = item;
  const known = id ?? name ?? file;
  return typeof known === 'string' ? `name ${known}` : null;
}
