import { describe, expect, it } from 'vitest';
import { jobComment, jobName, readKey, readMark, runKey } from '../../../../src/slurm/job-identity.js';
import { knownRefusals } from '../../../../src/slurm/refusals.js';
import {
  escapeFileName,
  parseSubmitted,
  readSubmitAnswer,
  submit,
  submitArguments,
} from '../../../../src/slurm/commands/sbatch.js';
import { failed, fakeRun, printed, timedOut, unreachable } from '../fake-run.js';

const id = '0b7c8a52-1111-4222-8333-444455556666';

describe('the key of a run', () => {
  it('is its id, and is read back from the name or the comment', () => {
    expect(runKey(id)).toBe(id);
    expect(readKey({ name: jobName(id), comment: '' })).toBe(id);
    expect(readKey({ name: 'renamed', comment: ` ${jobComment(id)} ` })).toBe(id);
    expect(readKey({ name: 'renamed', comment: jobComment(id, '0a1b2c3d') })).toBe(id);
    expect(readMark(jobComment(id, '0a1b2c3d'))).toBe('0a1b2c3d');
    expect(readMark(jobComment(id))).toBeNull();
    expect(readMark("the site's own: 0a1b2c3d")).toBeNull();
    expect(readKey({ name: 'dsa-slurm-', comment: 'dsa-slurm:' })).toBeNull();
    expect(readKey({ name: `dsa-slurm-${id} `, comment: '(null)' })).toBeNull();
  });

  it.each(['', 'a,b', '--name', 'a b', '../x', 'x'.repeat(200), 'é', 'a\nb', `sha256.${'0'.repeat(64)}`])(
    'is a digest for the id %j',
    (odd) => {
      expect(runKey(odd)).toMatch(/^sha256\.[0-9a-f]{64}$/);
      expect(readKey({ name: jobName(runKey(odd)), comment: '' })).toBe(runKey(odd));
    },
  );
});

describe('submitArguments', () => {
  it('names the run, and sends both streams to the log', () => {
    expect(
      submitArguments({
        logFile: '/logs/run 100%.log',
        options: [
          ['partition', 'main'],
          ['mem', '8G'],
          ['exclusive', null],
        ],
        key: id,
        script: '/etc/dsa/singularity.slurm',
        scriptArgs: ['--pwd', '/opt', '--uid=0'],
      }),
    ).toEqual([
      '--parsable',
      `--job-name=dsa-slurm-${id}`,
      `--comment=dsa-slurm:${id}`,
      '--output=/logs/run 100%%.log',
      '--error=/logs/run 100%%.log',
      '--open-mode=append',
      '--partition=main',
      '--mem=8G',
      '--exclusive',
      '/etc/dsa/singularity.slurm',
      '--pwd',
      '/opt',
      '--uid=0',
    ]);
  });

  it('escapes file names as sbatch reads them', () => {
    expect(escapeFileName('/a%j/b%%')).toBe('/a%%j/b%%%%');
    expect(escapeFileName('/a\\b%j')).toBe('/a\\\\b%j');
  });
});

describe('parseSubmitted', () => {
  it.each([
    ['Submitted batch job 42\n', '42', null],
    ['Submitted batch job 42 on cluster c1\n', '42', 'c1'],
    ['sbatch: Submitted batch job 42\n', '42', null],
    ['42\n', '42', null],
    ['42;c1\n', '42', 'c1'],
    ['*** Welcome to node 7 ***\nyour quota: 3\n\n42\r\n', '42', null],
    ['17\nSubmitted batch job 42\n', '42', null],
    ['42\n42\n', '42', null],
  ])('reads %j', (text, jobId, cluster) => {
    expect(parseSubmitted(text)).toEqual({ jobId, cluster });
  });

  it.each([
    '',
    'ok',
    'Submitted batch job',
    'job 42',
    '4 2',
    '41\n42\n',
    '<html>42</html>',
    '99999999999999999999\n',
    'Submitted batch job 99999999999999999999\n',
  ])('finds no id in %j', (text) => {
    expect(parseSubmitted(text)).toBeNull();
  });
});

describe('readSubmitAnswer', () => {
  it.each([
    [printed('42\n'), 'submitted'],
    [printed('ok\n'), 'unclear'],
    [printed(''), 'unclear'],
    [timedOut, 'unclear'],
    [{ kind: 'killed', signal: 'SIGKILL', stderr: '', ms: 1 }, 'unclear'],
    [{ kind: 'aborted', ms: 1 }, 'unclear'],
    [{ kind: 'overflow', ms: 1 }, 'unclear'],
    [unreachable, 'unclear'],
    [
      failed('sbatch: error: Batch job submission failed: Socket timed out on send/recv operation'),
      'unclear',
    ],
    [
      failed('sbatch: error: Batch job submission failed: Zero Bytes were transmitted or received'),
      'unclear',
    ],
    [{ kind: 'exited', exitCode: 1, stdout: '42\n', stderr: 'late', ms: 1 }, 'unclear'],
    [failed('sbatch: error: Batch job submission failed: Invalid partition name specified'), 'refused'],
    [failed("sbatch: unrecognized option '--badoption'", 255), 'refused'],
    [failed('sbatch: error: Unable to open file /nonexist'), 'refused'],
    [failed(''), 'refused'],
    [{ kind: 'missing', reason: 'ENOENT', ms: 1 }, 'refused'],
  ] as const)('%o is %s', (result, kind) => {
    expect(readSubmitAnswer(result).kind).toBe(kind);
  });

  it.each(knownRefusals.flatMap(({ cause, seen }) => seen.map(([words]) => [words, cause] as const)))(
    'calls %j a refusal of the kind %s',
    (words, cause) => {
      expect(readSubmitAnswer(failed(words))).toEqual({ kind: 'refused', message: words, cause });
    },
  );

  it.each([
    [{ kind: 'missing', reason: 'ENOENT', ms: 1 }, 'unavailable'],
    [{ kind: 'missing', reason: 'EACCES', ms: 1 }, 'unavailable'],
    [failed('/opt/slurm/bin/sbatch: line 3: exec: sbatch.real: not found', 127), 'unavailable'],
    [failed('', 126), 'unavailable'],
    // too much environment or too many arguments of this very job
    [{ kind: 'missing', reason: 'E2BIG', ms: 1 }, 'request'],
    [{ kind: 'missing', reason: "'sbatch': Argument list too long", ms: 1 }, 'request'],
    [failed('sbatch: error: this site wants a cost center'), 'unknown'],
    [failed(''), 'unknown'],
  ] as const)('%o is a refusal of the kind %s', (result, cause) => {
    expect(readSubmitAnswer(result)).toMatchObject({ kind: 'refused', cause });
  });

  it("passes on sbatch's message", async () => {
    const { run, calls } = fakeRun(() => failed('sbatch: error: invalid partition specified: nope\n'));
    expect(await submit(run, ['--x'], { env: { A: '1' } })).toEqual({
      kind: 'refused',
      message: 'sbatch: error: invalid partition specified: nope',
      cause: 'request',
    });
    expect(calls).toEqual([
      { file: 'sbatch', args: ['--x'], options: { timeoutMs: 120_000, env: { A: '1' } } },
    ]);
  });
});
