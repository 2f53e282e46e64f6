import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../src/base/log.js';
import { openJournal } from '../../src/worker/run-state/journal.js';
import { heldLease } from '../support/lease.js';
import { dsaSlurm, runProgram } from '../support/program.js';
import { someTask } from '../support/tasks.js';
import { startInTerminal, type TerminalProgram } from '../support/terminal.js';

let home: string;
let env: Record<string, string>;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'dsa-completion-'));
  env = {
    HOME: home,
    PATH: `${dirname(dsaSlurm)}:${process.env['PATH'] ?? ''}`,
    LANG: 'C.UTF-8',
    ZDOTDIR: home,
  };
  await writeFile(join(home, '.zshrc'), 'autoload -Uz compinit; compinit -u; PS1="ready> "\n');
  const profile = join(home, '.config/dsa-slurm/hospital.json');
  await mkdir(dirname(profile), { recursive: true });
  await writeFile(profile, '{}', { mode: 0o600 });
  const state = join(home, '.local/state/dsa-slurm/default');
  await mkdir(state, { recursive: true });
  const { journal } = await openJournal(state, silentLog(), heldLease);
  // ids come from the broker
  for (const id of ['cafe0123-run', `$(touch ${home}/evaluated)`]) {
    await journal.append(id, { type: 'accepted', at: 1, task: someTask({ id }), refusal: null });
  }
  await journal.close();
});

afterAll(async () => rm(home, { recursive: true, force: true }));

const shells = {
  bash: { args: ['--norc', '-i'], prepare: 'PS1="ready> "; source <(dsa-slurm completion bash)' },
  zsh: { args: ['-i'], prepare: 'source <(dsa-slurm completion zsh)' },
  fish: {
    args: ['--no-config', '-i'],
    prepare: 'function fish_prompt; echo "ready> "; end; dsa-slurm completion fish | source',
  },
};

describe.each(Object.keys(shells) as (keyof typeof shells)[])('%s completes', (name) => {
  let shell: TerminalProgram;
  beforeEach(async () => {
    const { args, prepare } = shells[name];
    shell = startInTerminal(`/usr/bin/${name}`, args, { columns: 100, rows: 40, env });
    // what is typed before the script has been read is not completed
    shell.press(`${prepare}; echo loa""ded\r`);
    await shell.waitFor(/^loaded$[^]*^ready>/m);
  });
  // how a shell takes SIGHUP in the middle of a completion is not what is tested
  afterEach(async () => shell.close('SIGKILL'));

  test.each([
    ['a command', 'dsa-slurm doc', 'dsa-slurm doctor'],
    ['a subcommand', 'dsa-slurm runs sho', 'dsa-slurm runs show'],
    ['an option', 'dsa-slurm doctor --verb', 'dsa-slurm doctor --verbose'],
    ['a profile', 'dsa-slurm --profile hos', 'dsa-slurm --profile hospital'],
    ['a setting', 'dsa-slurm config set worker.inF', 'dsa-slurm config set worker.inFlight'],
    ['a setting of --set', 'dsa-slurm worker --set slurm.gpuP', 'dsa-slurm worker --set slurm.gpuPartition='],
    ['its value', 'dsa-slurm worker --set=log.level=wa', 'dsa-slurm worker --set=log.level=warn'],
    ['a file', 'dsa-slurm explain HOME/.zsh', '.zshrc'],
    // the other id in the journal is made for a shell that evaluates its candidates
    ['a run', 'dsa-slurm runs cancel ', 'dsa-slurm runs cancel cafe0123-run'],
  ])('%s', async (_, typed, completed) => {
    shell.press(`${typed.replace('HOME', home)}\t`);
    const screen = await shell.waitFor(completed);
    expect(screen.join('\n')).toContain(completed);
    expect(existsSync(join(home, 'evaluated'))).toBe(false);
  });
});

test('the scripts and the candidates are printed', async () => {
  const { code, stdout } = await runProgram(['completion', 'bash'], env);
  expect({ code, first: stdout.split('\n', 1)[0] }).toEqual({
    code: 0,
    first: '# Completion of dsa-slurm for bash, written by: dsa-slurm completion bash',
  });
  expect((await runProgram(['completion', 'bash', '--', 'runs', 'ca'], env)).stdout).toMatch(/^cancel\t/);
  expect((await runProgram(['completion', 'tcsh'], env)).code).toBe(2);
});
