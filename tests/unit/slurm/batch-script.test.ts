import { execa } from 'execa';
import { access, chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  argumentsFileContent,
  batchEnvironment,
  scriptCancelSignal,
  scriptTakesArgumentsFile,
  scriptTakesTimeWarning,
  scriptWritesBeginRecord,
} from '../../../src/slurm/batch-script.js';
import {
  beginRecordFile,
  parseBeginRecord,
  parseExitRecord,
  readBeginRecord,
  readExitRecord,
} from '../../../src/slurm/exit-record.js';

const script = fileURLToPath(new URL('../../../templates/singularity.slurm', import.meta.url));

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dsa-batch-'));
});
afterEach(async () => rm(dir, { recursive: true, force: true }));

/** Runs the batch script as Slurm would, with a fake container runtime. */
async function start(
  container: string,
  { args = ['--pwd', '/x'], argumentsFile = null as string | null, env: more = {} } = {},
) {
  const apptainer = join(dir, 'apptainer');
  await writeFile(apptainer, `#!/bin/bash\n${container}\n`);
  await chmod(apptainer, 0o755);
  const env = batchEnvironment({ apptainer, exitRecord: join(dir, 'run.exit'), argumentsFile });
  return execa('bash', [script, ...args], {
    reject: false,
    env: { ...env, ...more, SLURM_JOB_ID: '42', SLURMD_NODENAME: 'n1' },
  });
}

/** Sends a signal to a job, whose container ends with `code` when it is asked to, and returns how it went on. */
async function signaled(
  signal: 'SIGXCPU' | 'SIGQUIT' | 'SIGTERM',
  code: number,
  warning: number | null = null,
) {
  const exitRecord = join(dir, 'w.exit');
  const apptainer = join(dir, 'slow');
  await writeFile(
    apptainer,
    `#!/bin/bash\ntrap 'echo last words; exit ${code}' TERM\ntrap 'touch ${dir}/continued' CONT\ntouch ${dir}/ready\nwhile [ ! -e ${dir}/enough ]; do sleep 0.05; done\n`,
    { mode: 0o755 },
  );
  const job = execa('bash', [script], {
    reject: false,
    env: {
      ...batchEnvironment({ apptainer, exitRecord, argumentsFile: null, warning }),
      SLURM_JOB_ID: '43',
    },
  });
  await vi.waitFor(async () => access(join(dir, 'ready')), { timeout: 10_000 });
  job.kill(signal);
  return { job, exitRecord };
}

describe('the batch script', () => {
  it('declares that it reads an arguments file', async () => {
    expect(scriptTakesArgumentsFile(await readFile(script, 'utf8'))).toBe(true);
    expect(scriptTakesArgumentsFile('#!/bin/bash\napptainer exec "$@"\n')).toBe(false);
  });

  it('passes arguments from both sources to the container unchanged', async () => {
    const odd = ['', ' a  b ', '*', '$(id)', 'é\nsecond', '--slurm', "'"];
    const argumentsFile = join(dir, 'arguments');
    await writeFile(argumentsFile, argumentsFileContent(odd));
    const result = await start(`printf '%s\\0' "$@"; env | grep -c ^DSA_SLURM_ || true`, { argumentsFile });
    expect(result.stdout).toBe(`${['exec', '--pwd', '/x', ...odd].map((arg) => `${arg}\0`).join('')}0`);
    expect(result.exitCode).toBe(0);
  });

  it.each([0, 3, 127, 137])('passes on exit code %d and records it', async (code) => {
    expect((await start(`exit ${code}`)).exitCode).toBe(code);
    const record = await readExitRecord(join(dir, 'run.exit'));
    expect(record).toMatchObject({ exitCode: code, jobId: '42', node: 'n1' });
    expect(Math.abs((record?.endedAt ?? 0) - Date.now())).toBeLessThan(60_000);
    expect((await readdir(dir)).sort()).toEqual(['apptainer', 'run.begin', 'run.exit']);
  });

  it('records the final length of the log', async () => {
    const apptainer = join(dir, 'apptainer');
    await writeFile(apptainer, '#!/bin/bash\necho a line of the log\n');
    await chmod(apptainer, 0o755);
    const exitRecord = join(dir, 'run.exit');
    const env = { ...batchEnvironment({ apptainer, exitRecord, argumentsFile: null }), SLURM_JOB_ID: '42' };
    await execa('bash', ['-c', 'exec bash "$0" >"$1"', script, join(dir, 'log')], { env });
    expect(await readExitRecord(exitRecord)).toMatchObject({ exitCode: 0, logBytes: 18 });
  });

  it('records what the container and its processes used', async () => {
    // bash keeps this text in its memory; the child is counted with its parent
    const hold = "text=$(head -c 30000000 /dev/zero | tr '\\0' x)";
    await start(
      `${hold}; bash -c '${hold.replaceAll("'", "'\\''")}; touch ${dir}/holds; until [ -e ${dir}/seen ]; do sleep 0.05; done' &
       until [ -e ${dir}/holds ]; do sleep 0.05; done
       sleep 3; touch ${dir}/seen; wait`,
      { env: { SLURM_MEM_PER_NODE: '4096', SLURM_CPUS_ON_NODE: '2' } },
    );
    const usage = (await readExitRecord(join(dir, 'run.exit')))?.usage;
    expect(usage).toMatchObject({ cpus: 2, grantedMemoryBytes: 4096 * 1024 ** 2, gpus: null });
    expect(usage?.memoryBytes).toBeGreaterThan(60_000_000);
    expect(usage?.memoryBytes).toBeLessThan(600_000_000);
    expect(usage?.cpuMs).toBeGreaterThan(0);
  });

  it('does not let the container reach the measurement', async () => {
    const { stdout } = await start(
      'for fd in /proc/self/fd/*; do readlink "$fd"; done; cat /proc/self/environ | tr "\\0" "\\n"',
    );
    // standard output and error are pipes of this test
    expect(stdout.split('\n').filter((line) => line.startsWith('pipe:')).length).toBeLessThanOrEqual(3);
    expect(stdout).not.toMatch(/run\.exit|^gpus=/m);
  });

  it('records the GPUs, and the GPU memory of its own processes only', async () => {
    const bin = join(dir, 'bin');
    await mkdir(bin);
    await writeFile(
      join(bin, 'nvidia-smi'),
      `#!/bin/bash\nuntil [ -e ${dir}/pid ]; do sleep 0.05; done\necho "$(cat ${dir}/pid), 300"\necho '1, 9000'\necho '[N/A], [N/A]'\n`,
      { mode: 0o755 },
    );
    await start(`echo $$ >${dir}/new; mv ${dir}/new ${dir}/pid; sleep 3`, {
      env: { SLURM_GPUS_ON_NODE: '1', PATH: `${bin}:${process.env['PATH'] ?? ''}` },
    });
    expect((await readExitRecord(join(dir, 'run.exit')))?.usage).toMatchObject({
      gpus: 1,
      gpuMemoryBytes: 300 * 1024 ** 2,
    });
  });

  it('forwards SIGTERM to the container and waits for its end', async () => {
    const apptainer = join(dir, 'slow');
    await writeFile(
      apptainer,
      `#!/bin/bash\ntrap 'echo bye; sleep 0.3; exit 7' TERM\ntouch ${dir}/ready\nwhile :; do sleep 0.05; done\n`,
    );
    await chmod(apptainer, 0o755);
    const job = execa('bash', [script], {
      reject: false,
      env: {
        ...batchEnvironment({ apptainer, exitRecord: join(dir, 'b.exit'), argumentsFile: null }),
        SLURM_JOB_ID: '43',
      },
    });
    await vi.waitFor(async () => access(join(dir, 'ready')), { timeout: 10_000 });
    job.kill('SIGTERM');
    const result = await job;
    expect(result.stdout).toContain('bye');
    expect(result.exitCode).toBe(7);
    expect(await readExitRecord(join(dir, 'b.exit'))).toMatchObject({ exitCode: 7, jobId: '43' });
  });

  it.each([
    [0, 124],
    [7, 7],
  ])(
    'asks an analysis to end when its time is up, and waits for Slurm to end the job (%d)',
    async (own, told) => {
      const { job, exitRecord } = await signaled('SIGXCPU', own, 0);
      await vi.waitFor(async () => access(exitRecord), { timeout: 10_000 });
      expect(await readExitRecord(exitRecord)).toMatchObject({ exitCode: told, reachedLimit: true });
      expect(job.kill('SIGTERM')).toBe(true);
      const result = await job;
      expect(result.stdout).toBe('last words');
      expect(result.exitCode).toBe(told);
    },
  );

  it('does not warn an analysis that has only just started', async () => {
    const { job, exitRecord } = await signaled('SIGXCPU', 7, 3_600);
    await vi.waitFor(async () => access(join(dir, 'continued')), { timeout: 10_000 });
    await writeFile(join(dir, 'enough'), '');
    expect(await job).toMatchObject({ stdout: '', exitCode: 0 });
    expect(await readExitRecord(exitRecord)).toMatchObject({ reachedLimit: false });
  });

  it.each([0, 7])(
    'waits for Slurm to end the job of a canceled run, its record written (%d)',
    async (own) => {
      const { job, exitRecord } = await signaled('SIGQUIT', own);
      await vi.waitFor(async () => access(exitRecord), { timeout: 10_000 });
      expect(await readExitRecord(exitRecord)).toMatchObject({ exitCode: own, reachedLimit: false });
      // the record exists before Slurm ends the script
      expect(job.kill(0)).toBe(true);
      job.kill('SIGTERM');
      expect(await job).toMatchObject({ stdout: 'last words', exitCode: own });
    },
  );

  it('ends with its analysis after SIGTERM, which is also how Slurm preempts a job', async () => {
    const { job, exitRecord } = await signaled('SIGTERM', 7);
    expect(await job).toMatchObject({ stdout: 'last words', exitCode: 7 });
    expect(await readExitRecord(exitRecord)).toMatchObject({ exitCode: 7 });
  });

  it('declares the signal that ends its analysis', async () => {
    const text = await readFile(script, 'utf8');
    expect(scriptCancelSignal(text)).toBe('QUIT');
    expect(scriptCancelSignal(text.replace(' QUIT\n', ' HUP\n'))).toBe('TERM');
    expect(scriptCancelSignal('#!/bin/bash\napptainer exec "$@"\n')).toBeNull();
  });

  it('declares whether it handles the time limit warning', async () => {
    const text = await readFile(script, 'utf8');
    expect(scriptTakesTimeWarning(text)).toBe(true);
    expect(scriptTakesTimeWarning(text.replace(' XCPU\n', ' HUP\n'))).toBe(false);
    const own = text.replace('##SBATCH --mem=4G', '#SBATCH --signal=B:USR1@60');
    expect(scriptTakesTimeWarning(own)).toBe(false);
  });

  it('removes the record of an earlier attempt', async () => {
    await writeFile(join(dir, 'run.exit'), 'exit=9\njob=42\nnode=n1\nstart=1\nend=2\n');
    const result = await start(`test ! -e ${dir}/run.exit && echo removed`);
    expect(result.stdout).toBe('removed');
  });

  it('tells when the analysis begins, before it begins', async () => {
    const result = await start(`cat ${dir}/run.begin; exit 3`);
    expect(parseBeginRecord(`${result.stdout}\n`)).toBe('42');
    expect(await readBeginRecord(beginRecordFile(join(dir, 'run.exit')))).toBe('42');
    const text = await readFile(script, 'utf8');
    expect(scriptWritesBeginRecord(text)).toBe(true);
    expect(scriptWritesBeginRecord(text.replace(/^write_begin_record$/m, ''))).toBe(false);
  });

  it.each<[string, string, Record<string, string>, boolean]>([
    ['after an end of its own', 'exit 0', {}, true],
    ['after an error of its own', 'exit 3', {}, true],
    ['after a signal that ended it', 'kill -KILL $$', {}, false],
    ['after a signal that it survived', 'kill -TERM $PPID; sleep 0.3; exit 0', {}, false],
    ['in a second attempt', 'exit 0', { SLURM_RESTART_COUNT: '1' }, false],
  ])('says %s whether its exit code is the whole story', async (_, container, env, undisturbed) => {
    await start(container, { env });
    expect(await readExitRecord(join(dir, 'run.exit'))).toMatchObject({ undisturbed });
  });

  it('reports that the arguments cannot be read', async () => {
    const result = await start('echo ran', { argumentsFile: join(dir, 'nowhere') });
    expect(result.stdout).toBe('');
    expect(result.stderr).toContain('cannot read the arguments');
    expect(await readExitRecord(join(dir, 'run.exit'))).toMatchObject({ exitCode: 66 });
  });

  it("runs without the worker's variables", async () => {
    await writeFile(join(dir, 'apptainer'), '#!/bin/bash\necho "$@"\n', { mode: 0o755 });
    const result = await execa('bash', [script, 'x.sif', 'y'], {
      env: { PATH: `${dir}:${process.env['PATH'] ?? ''}` },
    });
    expect(result.stdout).toBe('exec x.sif y');
    expect(await readdir(dir)).toEqual(['apptainer']);
  });
});

describe('the exit record', () => {
  const whole = 'exit=3\njob=42\nnode=n1\nstart=1795462100\nend=1795462119\n';

  it('is read only if it is complete', () => {
    expect(parseExitRecord(whole)).toEqual({
      exitCode: 3,
      jobId: '42',
      node: 'n1',
      startedAt: 1_795_462_100_000,
      endedAt: 1_795_462_119_000,
      reachedLimit: false,
      undisturbed: false,
      logBytes: null,
      usage: null,
    });
    for (let length = 0; length < whole.length; length++) {
      expect(parseExitRecord(whole.slice(0, length)), `${length} bytes`).toBeNull();
    }
    expect(parseExitRecord(whole.replace('exit=3', 'exit=x'))).toBeNull();
    expect(parseExitRecord('\0'.repeat(100))).toBeNull();
  });

  it('is null if the file is missing', async () => {
    expect(await readExitRecord(join(dir, 'none'))).toBeNull();
    expect(await readExitRecord(dir)).toBeNull();
  });
});

it('refuses arguments with a NUL', () => {
  expect(() => argumentsFileContent(['a\0b'])).toThrow(/NUL/);
  expect(argumentsFileContent(['a', ''])).toBe('a\0\0');
});
