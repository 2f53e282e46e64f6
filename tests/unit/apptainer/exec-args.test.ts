import { describe, expect, it } from 'vitest';
import { containerEnvironment, execArguments } from '../../../src/apptainer/exec-args.js';
import { isTooOld, isolationOptions, isolationParts } from '../../../src/apptainer/isolation.js';

const request = {
  sif: '/sif/a.sif',
  workingDirectory: '/opt/cli',
  binds: [],
  gpu: false,
  isolation: { off: new Set(isolationParts), home: null, replacesEnvironment: false, space: null },
  options: [],
};

describe('execArguments', () => {
  it('puts directory, binds, GPU and the options of the operator before the image', () => {
    expect(
      execArguments({
        ...request,
        binds: [
          { host: '/tmp/x', container: '/mnt/girder_worker/x', mode: 'rw' },
          { host: '/store/a.tif', container: '/mnt/a.tif', mode: 'ro' },
        ],
        gpu: true,
        options: ['--bind=/scratch'],
      }),
    ).toEqual([
      '--pwd',
      '/opt/cli',
      '--bind',
      '/tmp/x:/mnt/girder_worker/x:rw',
      '--bind',
      '/store/a.tif:/mnt/a.tif:ro',
      '--nv',
      '--bind=/scratch',
      '/sif/a.sif',
    ]);
  });

  it.each([
    ['/a,b', '/c', '"source=/a,b","destination=/c"'],
    ['/a', '/b:ro', '"source=/a","destination=/b:ro"'],
    ['/a b', '/c', '"source=/a b","destination=/c"'],
    ['/a"b,c', '/c', '"source=/a""b,c","destination=/c"'],
    ['/a\\b', '/c', '"source=/a\\b","destination=/c"'],
  ])('quotes %s -> %s', (host, container, fields) => {
    expect(execArguments({ ...request, binds: [{ host, container, mode: 'ro' }] })).toEqual([
      '--pwd',
      '/opt/cli',
      '--mount',
      `type=bind,${fields},ro`,
      '/sif/a.sif',
    ]);
  });

  it('omits the mode rw, which the runtime does not accept as a field', () => {
    const args = execArguments({ ...request, binds: [{ host: '/a b', container: '/c', mode: 'rw' }] });
    expect(args).toContain('type=bind,"source=/a b","destination=/c"');
  });

  it('refuses ambiguous paths', () => {
    for (const path of ['', 'relative', '--nv', '/a\nb', '/a\0b', '/a\u001Bb']) {
      const bind = { host: path, container: '/c', mode: 'ro' } as const;
      expect(() => execArguments({ ...request, binds: [bind] }), path).toThrow(/cannot be mounted or used/);
      const other = { host: '/h', container: path, mode: 'ro' } as const;
      expect(() => execArguments({ ...request, binds: [other] }), path).toThrow(/cannot be mounted or used/);
      expect(() => execArguments({ ...request, workingDirectory: path }), path).toThrow(/path/);
      expect(() => execArguments({ ...request, sif: path }), path).toThrow(/path/);
    }
  });
});

describe('containerEnvironment', () => {
  it('passes variables into the container only', () => {
    const env = { LEVEL: '3', PATH: '/x', 'a b': '1', '': '2', 'X=Y': '3', NUL: 'a\0b' };
    expect(containerEnvironment(env, 'apptainer')).toEqual({
      APPTAINERENV_LEVEL: '3',
      APPTAINERENV_PATH: '/x',
    });
    expect(containerEnvironment({ LEVEL: '3' }, 'singularity')).toEqual({ SINGULARITYENV_LEVEL: '3' });
  });
});

describe('isolationOptions', () => {
  const none = { off: new Set<never>(), home: '/root', replacesEnvironment: true, space: 'script' } as const;

  it('isolates a container in all parts', () => {
    expect(isolationOptions(none)).toEqual([
      '--contain',
      '--no-mount',
      'home,cwd,hostfs',
      '--home',
      '/root',
      '--cleanenv',
      '--pid',
      '--ipc',
      '--no-eval',
      '--no-umask',
      '--bind',
      '/dev/null:/.singularity.d/env/10-docker2singularity.sh',
    ]);
  });

  it('uses a layer in memory and a directory for /tmp with a batch script of the site', () => {
    const options = isolationOptions({ ...none, space: { directory: '/run/container' } });
    expect(options).toContain('--writable-tmpfs');
    expect(options.join(' ')).toContain('--workdir /run/container');
  });

  it.each([
    ['files', /--contain|--home|--no-mount/],
    ['environment', /--cleanenv/],
    ['processes', /--pid|--ipc/],
    ['variables', /--no-eval|10-docker2singularity/],
    ['umask', /--no-umask/],
  ] as const)('leaves out what belongs to %s where that is turned off, and nothing else', (part, options) => {
    const off = isolationOptions({ ...none, off: new Set([part]) });
    expect(isolationOptions(none).join(' ')).toMatch(options);
    expect(off.join(' ')).not.toMatch(options);
    expect(isolationOptions({ ...none, off: new Set(isolationParts) })).toEqual([]);
  });

  it('mounts an empty home directory over one that is not writable', () => {
    expect(isolationOptions({ ...none, off: new Set(['layer']) })).toContain('cwd,hostfs');
    expect(isolationOptions({ ...none, home: null })).toContain('cwd,hostfs');
  });

  it.each([
    ['apptainer', '1.0.3', true],
    ['apptainer', '1.1.0-1.el8', false],
    ['apptainer', '1.4.5', false],
    ['singularity', '3.9.9', true],
    ['singularity', '3.10.0', false],
    ['singularity', '4.3.2-noble', false],
  ] as const)('%s %s is too old: %s', (name, version, old) => {
    expect(isTooOld({ name, version })).toBe(old);
  });
});
