/**
 * Amounts of Slurm's trackable resources (TRES), by name: `cpu`, `node`, `mem` in MB, `gres/gpu`, `gres/gpu:a100`,
 * `license/x`.
 */
export type Tres = ReadonlyMap<string, number>;

/** Powers of 1024 of the units K, M, G, T and P. */
const units = 'KMGTP';

function inMegabytes(number: string, unit: string): number {
  return Number(number) * 1_024 ** (units.indexOf(unit === '' ? 'M' : unit.toUpperCase()) - 1);
}

/** Parses limits as sacctmgr prints them: `cpu=2,mem=4G,gres/gpu:a100=1`. */
export function parseTres(text: string): Map<string, number> {
  return new Map(
    text.split(',').flatMap((part) => {
      const [, name, number = '', unit = ''] = /^([^=]+)=(\d+(?:\.\d+)?)([KMGTP]?)$/.exec(part.trim()) ?? [];
      if (name === undefined) return [];
      return [[name, name === 'mem' ? inMegabytes(number, unit) : Number(number)] as const];
    }),
  );
}

/**
 * What a job on one node requests.
 * @param options sbatch options by long name: `cpus-per-task`, `ntasks`, `mem`, `gres`
 * @param defaults `DefMemPerCPU` and `DefMemPerNode` of the partition or cluster, which apply if no memory is requested
 * @returns without `mem` if Slurm decides how much that is
 */
export function requestedTres(
  options: ReadonlyMap<string, string | null>,
  defaults: ReadonlyMap<string, string>,
): Map<string, number> {
  const countOf = (option: string): number => Number(options.get(option) ?? 1);
  const cpus = countOf('ntasks') * countOf('cpus-per-task');
  const tres = new Map([
    ['cpu', cpus],
    ['node', 1],
  ]);
  const memory = requestedMemory(options.get('mem') ?? null, cpus, defaults);
  if (memory !== null) tres.set('mem', memory);
  for (const item of (options.get('gres') ?? '').split(',')) {
    const [, name, type, number = '1', unit = ''] =
      /^(?:gres[/:])?([^:=]+?)(?:[:=]([A-Za-z][^:=]*))?(?:[:=](\d+)([KMGTP]?))?$/i.exec(item.trim()) ?? [];
    if (name === undefined || name === 'none') continue;
    const count = Number(number) * 1_024 ** (unit === '' ? 0 : units.indexOf(unit.toUpperCase()) + 1);
    const names = [`gres/${name}`, ...(type === undefined ? [] : [`gres/${name}:${type}`])];
    for (const each of names) tres.set(each, (tres.get(each) ?? 0) + count);
  }
  return tres;
}

/** Memory on the node in MB; null if unknown: all of the node's (`--mem=0`), or the cluster's default. */
function requestedMemory(
  mem: string | null,
  cpus: number,
  defaults: ReadonlyMap<string, string>,
): number | null {
  if (mem !== null) {
    const [, number, unit = ''] = /^(\d+)([KMGT]?)B?$/i.exec(mem) ?? [];
    return number === undefined || Number(number) === 0 ? null : inMegabytes(number, unit);
  }
  const numberOf = (key: string): number => Number.parseInt(defaults.get(key) ?? '', 10);
  const perNode = numberOf('DefMemPerNode');
  if (perNode > 0) return perNode;
  const perCpu = numberOf('DefMemPerCPU');
  return perCpu > 0 ? perCpu * cpus : null;
}

/** For display: `4 CPUs`, `2048 MB of memory`, `1 gres/gpu`. */
export function amountText(name: string, amount: number): string {
  const plural = amount === 1 ? '' : 's';
  switch (name) {
    case 'cpu':
      return `${amount} CPU${plural}`;
    case 'node':
      return `${amount} node${plural}`;
    case 'mem':
      return `${amount} MB of memory`;
    default:
      return `${amount} ${name}`;
  }
}
