import { describe, expect, test } from 'vitest';

import {
  changeNodes,
  nodeChangeCommand,
  type NodeChange,
} from '../../../../src/slurm/commands/change-nodes.js';
import { failed, fakeRun, printed } from '../fake-run.js';

describe('nodeChangeCommand', () => {
  test.each<[NodeChange, string[]]>([
    [
      { kind: 'drain', reason: ' disk $(reboot); is broken ' },
      ['update', 'NodeName=n1,gpu-2.site', 'State=DRAIN', 'Reason=disk $(reboot); is broken'],
    ],
    [{ kind: 'resume' }, ['update', 'NodeName=n1,gpu-2.site', 'State=RESUME']],
  ])('%o is one argument vector', (change, args) => {
    expect(nodeChangeCommand(change, ['n1', 'gpu-2.site'])).toEqual({ file: 'scontrol', args });
  });

  test.each([[], ['ALL'], ['all'], ['n[1-9]'], ['n1,n2'], ['n1 State=DOWN'], [''], ['-n'], ['n1\n']])(
    'refuses the names %j',
    (...nodes: string[]) => {
      expect(() => nodeChangeCommand({ kind: 'resume' }, nodes)).toThrow(/not names of nodes/);
    },
  );

  test.each(['', '  ', 'a\nState=DOWN', 'say "no"', 'x'.repeat(201)])('refuses the reason %j', (reason) => {
    expect(() => nodeChangeCommand({ kind: 'drain', reason }, ['n1'])).toThrow(/needs a reason/);
  });
});

describe('changeNodes', () => {
  test('needs one call and passes on the refusal of Slurm unchanged', async () => {
    const { run, calls } = fakeRun(() => failed('slurm_update error: Invalid user id\n'));
    expect(await changeNodes(run, { kind: 'resume' }, ['n1', 'n2', 'n1'])).toEqual({
      ok: false,
      message: 'slurm_update error: Invalid user id',
    });
    expect(calls.map(({ args }) => args)).toEqual([['update', 'NodeName=n1,n2', 'State=RESUME']]);
  });

  test('says nothing where Slurm does not', async () => {
    const { run } = fakeRun(() => printed(''));
    expect(await changeNodes(run, { kind: 'drain', reason: 'x' }, ['n1'])).toEqual({ ok: true, message: '' });
  });
});
