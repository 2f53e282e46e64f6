/**
 * How much a test does: `short` in the gate, `long` under `npm run test:long`. Both assert the same.
 */
export function amount<T>(short: T, long: T): T {
  return process.env['DSA_SLURM_TEST_LONG'] === '1' ? long : short;
}
