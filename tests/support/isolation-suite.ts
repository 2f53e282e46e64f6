import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';

import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { containerHome } from '../../src/apptainer/entry.js';
import { containerEnvironment, execArguments } from '../../src/apptainer/exec-args.js';
import { createApptainer } from '../../src/apptainer/inspect.js';
import type { IsolationPart } from '../../src/apptainer/isolation.js';
import { createRunner } from '../../src/base/command.js';
import { packageFile } from '../../src/base/package-file.js';
import { argumentsFileContent, batchEnvironment } from '../../src/slurm/batch-script.js';

/** A container runtime: Apptainer or the fake. */
export interface SuiteRuntime {
  command: string;
  /** Makes an image file of an OCI config and files by their path. */
  image(
    path: string,
    config: Readonly<Record<string, unknown>>,
    files: Readonly<Record<string, string>>,
  ): Promise<void>;
  close(): Promise<void>;
}

const write = (file: string) => `dd if=/dev/zero of=${file} bs=1M count=200 2>/dev/null && echo wrote`;

/** A variable's value that no shell may evaluate. */
const literal = 'a "b" $HOME `echo c` \'d\' \\ é漢\nsecond line';

/**
 * What a container must not reach, and how images must run. The same tests run with the real Apptainer and the fake. Each
 * attack must succeed without the options of a job: that proves that it works, and that the fake is as open as the real one.
 */
export function isolationSuite(open: (dir: string, home: string) => Promise<SuiteRuntime>): void {
  let dir: string;
  let sif: string;
  let runtime: SuiteRuntime;
  /** What a container could find: the home of its user, the directory of its caller, /tmp. */
  let host: { home: string; logs: string; tmp: string };

  beforeAll(async () => {
    // not below /tmp, which a container without options sees as such
    dir = await mkdtemp('/srv/dsa-isolation-').catch(async () => mkdtemp(join(homedir(), 'dsa-isolation-')));
    host = {
      home: join(dir, 'home'),
      logs: join(dir, 'logs'),
      tmp: await mkdtemp(join(tmpdir(), 'dsa-host-')),
    };
    for (const directory of [host.home, host.logs, join(dir, 'scratch')]) await mkdir(directory);
    runtime = await open(dir, host.home);
    sif = join(dir, 'small.sif');
    const config = {
      Env: ['PRICE=costs $5', 'QUOTED=a "b" c', 'TICK=`id`', 'PATH=/opt/app/bin:/usr/bin:/bin'],
      WorkingDir: '/made/by/docker',
      Entrypoint: ['/bin/sh'],
    };
    await runtime.image(sif, config, {
      '/etc/passwd': 'root:x:0:0::/root:/bin/sh\n',
      '/etc/group': 'root:x:0:\n',
      '/opt/app/own': 'of the image',
      '/tmp/app': 'app in /tmp',
      '/root/app': 'app in /root',
      [`${host.home}/app`]: 'app in the home of the user',
    });
  });
  beforeEach(async () => {
    await writeFile(join(host.home, 'profile'), 'GOT IT\n');
    await writeFile(join(host.logs, 'other.exit'), 'GOT IT\nexit=4\n');
    await writeFile(join(host.tmp, 'secret'), 'GOT IT\n');
  });
  afterAll(async () => {
    await runtime.close();
    await rm(dir, { recursive: true, force: true });
    await rm(host.tmp, { recursive: true, force: true });
  });

  const runner = (env: Record<string, string> = {}) =>
    createRunner({ env: { PATH: process.env['PATH'], HOME: host.home, CALLERS_KEY: 'GOT IT', ...env } });

  async function execIn(options: readonly string[], script: string, env: Record<string, string> = {}) {
    const result = await runner(env)(runtime.command, ['exec', ...options, '/bin/sh', '-c', script], {
      cwd: host.logs,
    });
    if (result.kind !== 'exited') throw new Error(`${result.kind} ${runtime.command}`);
    return result;
  }

  /** As a job has it, with parts turned off. */
  const vector = (off: ReadonlySet<IsolationPart> = new Set(), space: 'script' | null = null): string[] =>
    execArguments({
      sif,
      workingDirectory: '/opt/app',
      binds: [],
      gpu: false,
      isolation: { off, home: '/root', replacesEnvironment: true, space },
      options: [],
    });

  async function batch(script: string, over: { workdir?: string } = {}) {
    const [argumentsFile, exitRecord] = [join(dir, 'arguments'), join(dir, 'own.exit')];
    const binds = over.workdir === undefined ? [] : ['--bind', `${over.workdir}:/made/by/docker`];
    const words = [...vector(new Set(), 'script'), '/bin/sh', '-c', script];
    await writeFile(argumentsFile, argumentsFileContent([...binds, ...words]));
    const scratch = join(dir, 'scratch');
    const result = await execa('bash', [packageFile('templates/singularity.slurm')], {
      reject: false,
      cwd: host.logs,
      extendEnv: false,
      env: {
        PATH: process.env['PATH'],
        HOME: host.home,
        APPTAINER_QUIET: '1',
        ...batchEnvironment({
          apptainer: runtime.command,
          exitRecord,
          argumentsFile,
          room: 'layer',
          scratch,
        }),
      },
    });
    const { exitCode, stdout, stderr } = result;
    return { exitCode, stdout, stderr, left: await readdir(scratch) };
  }

  const without = async (part: IsolationPart, script: string) =>
    (await execIn(vector(new Set([part])), script)).stdout;

  describe('what a hostile container tries', () => {
    it.each<[what: string, script: () => string]>([
      ['to read the home of the user', () => `cat ${host.home}/profile`],
      [
        'to write into the home of the user',
        () => `echo x >>${host.home}/profile && cat ${host.home}/profile`,
      ],
      ["to read another run's exit record", () => `cat ${host.logs}/other.exit`],
      [
        "to forge another run's exit record",
        () => `cat ${host.logs}/other.exit && echo exit=0 >${host.logs}/other.exit`,
      ],
      ['to read /tmp of the host', () => `cat ${host.tmp}/secret`],
      ['to write into /tmp of the host', () => `echo x >>${host.tmp}/secret && cat ${host.tmp}/secret`],
      ['to read the environment of the caller', () => 'echo "$CALLERS_KEY"'],
    ])('%s: possible without options, and not with those of a job', async (_what, script) => {
      expect((await execIn([sif], script())).stdout).toContain('GOT IT');
      await writeFile(join(host.logs, 'other.exit'), 'GOT IT\nexit=4\n');
      expect((await execIn(vector(), script())).stdout).not.toContain('GOT IT');
      expect(await readFile(join(host.logs, 'other.exit'), 'utf8')).toBe('GOT IT\nexit=4\n');
      expect(await readFile(join(host.tmp, 'secret'), 'utf8')).toContain('GOT IT');
    });

    it('each part can be turned off alone', async () => {
      expect(await without('environment', 'echo "$CALLERS_KEY"')).toContain('GOT IT');
      expect(await without('files', 'echo "$CALLERS_KEY"')).not.toContain('GOT IT');
      expect(await without('files', `cat ${host.logs}/other.exit`)).toContain('GOT IT');
      expect(await without('environment', `cat ${host.logs}/other.exit`)).not.toContain('GOT IT');
    });
  });

  describe('as Docker runs an image', () => {
    it('values of variables are what they are, and a shell without the options evaluates them', async () => {
      const env = containerEnvironment({ PRICE: 'costs $5', VALUE: literal, HOME: '/else' }, 'apptainer');
      const script = 'printf "%s|%s" "$PRICE" "$VALUE"';
      const closed = await execIn(vector(), script, { ...env, APPTAINER_QUIET: '1' });
      expect(closed.stdout).toBe(`costs $5|${literal}`);
      expect(closed.stderr).toBe('');
      const opened = await execIn([sif], script, env);
      expect(opened.stdout).toContain(`${host.home} c`);
      expect(opened.stderr).toContain('reached EOF without closing quote');
    });

    it('the program may write beside itself, which changes no image', async () => {
      const script = 'echo new >own && cat own && touch /tmp/x "$HOME/x" && echo "$HOME" && umask';
      const { exitCode, stdout } = await execIn(vector(), script);
      expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'new\n/root\n0022\n' });
      expect((await execIn(vector(), 'cat own')).stdout).toBe('of the image');
      expect((await execIn(['--pwd', '/opt/app', sif], 'echo new >own')).exitCode).not.toBe(0);
    });

    it('a program finds itself in /proc', async () => {
      expect(
        (await execIn(vector(), 'text=$(tr "\\0" " " </proc/$$/cmdline); echo "$text" # itself')).stdout,
      ).toContain('# itself');
    });

    it('what is in the image is looked at as a job sees it', async () => {
      const facts = await createApptainer({ run: runner(), command: runtime.command }).probe('small:v1', sif);
      expect(facts.inside).toMatchObject({ hasWorkingDirectory: false });
      expect(facts.oci?.environment).toMatchObject({ PRICE: 'costs $5', QUOTED: 'a "b" c', TICK: '`id`' });
      expect(containerHome(facts, {})).toBe('/root');
    });
  });

  describe('with our batch script', () => {
    it('applications in /tmp, /root and the home of the user are there', async () => {
      const { stdout } = await batch(`cat /tmp/app; echo; cat /root/app; echo; cat ${host.home}/app`);
      expect(stdout).toBe('app in /tmp\napp in /root\napp in the home of the user');
    });

    it('200 MB fit beside the program and into /tmp, and nothing of it is left', async () => {
      const { stdout, left, exitCode } = await batch(`${write('/opt/app/cache')}; ${write('/tmp/big')}`);
      expect({ stdout, left, exitCode }).toEqual({ stdout: 'wrote\nwrote', left: [], exitCode: 0 });
    });

    it('a working directory that the image lacks is one that is bound', async () => {
      const workdir = join(dir, 'workdir');
      await mkdir(workdir);
      const { stdout } = await batch('cd /made/by/docker && touch x && pwd', { workdir });
      expect(stdout).toBe('/made/by/docker');
      expect(await readdir(workdir)).toEqual(['x']);
    });

    it('the log of a killed program holds nothing but its own words', async () => {
      const { exitCode, stdout, stderr, left } = await batch('echo last words; kill -9 $$');
      expect({ exitCode, stdout, stderr, left }).toEqual({
        exitCode: 137,
        stdout: 'last words',
        stderr: '',
        left: [],
      });
    });
  });
}
