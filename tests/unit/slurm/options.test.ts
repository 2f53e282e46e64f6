import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mergeOptions, takeUserOptions } from '../../../src/slurm/options.js';

const allowed = ['mem', 'mem-per-cpu', 'time', 'partition', 'exclusive', 'constraint', 'gres', 'nice'];

describe('takeUserOptions', () => {
  it.each([
    ['--slurm_mem', '8G', 'mem'],
    ['--slurm_mem_per_cpu', '500M', 'mem-per-cpu'],
    ['--slurm_time', '1-02:03:04', 'time'],
    ['--slurm_time', '90', 'time'],
    ['--slurm_gres', 'gpu:a100:2', 'gres'],
    ['--slurm_constraint', 'haswell&(big|huge*2)', 'constraint'],
  ])('takes %s %s', (flag, value, name) => {
    const expected = { options: [[name, value]], args: ['Tiny', 'in.tif', 'out'], refused: [] };
    expect(takeUserOptions(['Tiny', flag, value, 'in.tif', 'out'], allowed)).toEqual(expected);
    expect(takeUserOptions(['Tiny', `${flag}=${value}`, 'in.tif', 'out'], allowed)).toEqual(expected);
  });

  it('accepts an option without a value at the end, before a flag, and for flags of sbatch', () => {
    for (const args of [
      ['Tiny', 'in.tif', '--slurm_exclusive'],
      ['Tiny', '--slurm_exclusive', 'in.tif'],
    ]) {
      expect(takeUserOptions(args, allowed)).toEqual({
        options: [['exclusive', null]],
        args: ['Tiny', 'in.tif'],
        refused: [],
      });
    }
    expect(takeUserOptions(['--slurm_nice', '--level', '5'], allowed)).toEqual({
      options: [['nice', null]],
      args: ['--level', '5'],
      refused: [],
    });
  });

  it("leaves the container's own arguments unchanged", () => {
    const args = ['', '-', '--', '--slurm', '--SLURM_mem', 'x --slurm_mem', '--output=/x'];
    expect(takeUserOptions(args, allowed)).toEqual({ options: [], args, refused: [] });
  });

  it.each([
    'output',
    'error',
    'input',
    'chdir',
    'uid',
    'gid',
    'wrap',
    'export',
    'export_file',
    'get_user_env',
    'array',
    'job_name',
    'comment',
    'dependency',
    'parsable',
    'wait',
    'test_only',
    'bb',
    'bbf',
    'mail_user',
    'open_mode',
    // sbatch takes the beginning of a long option for the whole of it
    'wra',
    'outp',
    'exp',
    'ui',
    'array',
  ])('never accepts %s, even if the operator allows it', (name) => {
    const result = takeUserOptions([`--slurm_${name}=x`, 'Tiny'], [name, name.replaceAll('_', '-')]);
    expect(result.options).toEqual([]);
    expect(result.args).toEqual(['Tiny']);
    expect(result.refused).toMatchObject([{ option: name, reason: expect.stringContaining('never') }]);
  });

  it.each([
    ['reservation', 'mine'],
    ['', 'x'],
    ['m', '8G'],
    ['mem', ''],
    ['mem', '8G --uid=0'],
    ['mem', '--uid=0'],
    ['time', 'soon'],
    ['partition', 'a b'],
    ['constraint', 'a\nb'],
    ['constraint', 'x'.repeat(300)],
    ['mem;reboot', '1'],
    ['Mem', '1'],
  ])('refuses %j=%j', (name, value) => {
    const result = takeUserOptions([`--slurm_${name}=${value}`], allowed);
    expect(result).toMatchObject({
      options: [],
      args: [],
      refused: [{ reason: expect.stringMatching(/./) }],
    });
  });

  it('shows a refused name without control characters', () => {
    const [refused] = takeUserOptions(['--slurm_\u001B[2J\n=1'], allowed).refused;
    expect(refused?.option).toBe('?[2J?');
  });

  it('passes only allowed names, and loses no other argument', () => {
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom('--slurm_mem', '--slurm_wrap', '--slurm_uid=0', '--slurm_exclusive', '--level', '8G'),
    );
    fc.assert(
      fc.property(fc.array(word), (args) => {
        const { options, args: rest } = takeUserOptions(args, allowed);
        for (const [name, value] of options) {
          expect(allowed).toContain(name);
          if (value !== null) expect(value).not.toMatch(/^-|\p{C}/u);
        }
        expect(rest.some((arg) => arg.startsWith('--slurm_'))).toBe(false);
        const others = args.filter((arg) => arg.startsWith('-') && !arg.startsWith('--slurm_'));
        expect(rest.filter((arg) => arg.startsWith('-'))).toEqual(others);
      }),
    );
  });
});

describe('mergeOptions', () => {
  it("lets a task override the site's defaults, also for mutually exclusive options", () => {
    expect(
      mergeOptions([
        { option: 'partition', value: 'main' },
        { option: 'mem', value: '4G' },
        { option: 'time', value: '60' },
        { option: 'mem-per-cpu', value: '1G' },
        { option: 'time', value: '5' },
        { option: 'exclusive', value: null },
      ]),
    ).toEqual([
      { option: 'partition', value: 'main' },
      { option: 'mem-per-cpu', value: '1G' },
      { option: 'time', value: '5' },
      { option: 'exclusive', value: null },
    ]);
  });
});
