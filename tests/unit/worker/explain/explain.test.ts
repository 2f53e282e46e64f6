import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { stageAnalysis } from '../../../../src/girder/transfer/stage-inputs.js';
import { readAnalysis } from '../../../../src/girder/protocol/read-analysis.js';
import { explainMessage } from '../../../../src/worker/explain/explain.js';
import type { Explanation } from '../../../../src/worker/explain/explanation.js';
import { readMessageFile } from '../../../../src/worker/explain/message-file.js';
import { dryRunStaging } from '../../../../src/worker/explain/dry-run-staging.js';
import { renderExplanation } from '../../../../src/worker/explain/render.js';
import { fixtureTask } from '../../girder/fixtures.js';
import { setUp } from '../../girder/girder-bench.js';
import { someSettings } from '../../../support/settings.js';

const contract = new URL('../../../fixtures/contract/', import.meta.url);
const names = readdirSync(new URL('tasks/', contract));

function fixture(name: string): string {
  return readFileSync(new URL(`tasks/${name}`, contract), 'utf8');
}

const settings = someSettings({
  'dirs.images': '/images',
  'dirs.logs': '/logs',
  'dirs.tmp': '/tmp/work',
  'slurm.partition': 'batch',
});

async function explain(
  text: string,
  over: Partial<Parameters<typeof explainMessage>[1]> = {},
): Promise<Explanation> {
  return explainMessage(readMessageFile(text).delivery, {
    settings,
    submitScript: {
      path: '/site/run.slurm',
      takesArgumentsFile: true,
      takesTimeWarning: true,
      writesBeginRecord: true,
      cancelSignal: 'QUIT',
    },
    now: Date.parse('2026-11-23T09:00:00Z'),
    isReadableFile: async (path) => path.endsWith('.sif'),
    guardBind: async () => undefined,
    ...over,
  });
}

/** Runs a container, and so is run here. */
const runs = names.filter((name) => /direct_(docker|singularity)_run|docker_run\./.test(name));

describe('explainMessage', () => {
  it.each(names)('%s is decoded as the contract says, and never stops it', async (name) => {
    const { decoded, task, verdict, reasons } = await explain(fixture(name));
    const expected = JSON.parse(
      readFileSync(new URL(`expected/decoded/${name}`, contract), 'utf8'),
    ) as Record<string, unknown>;
    expect({ fixture: `tasks/${name}`, task: task?.name, ...decoded }).toStrictEqual(expected);
    expect(verdict === 'refused').toBe(reasons.length > 0);
  });

  it.each(runs.filter((name) => !name.includes('nested')))('%s would be run', async (name) => {
    const told = await explain(fixture(name));
    expect(told.reasons).toEqual([]);
    expect(told.verdict).toBe('run');
    expect(told.sbatch?.slice(0, 2)).toEqual(['sbatch', '--parsable']);
    expect(told.apptainer?.slice(0, 2)).toEqual(['apptainer', 'exec']);
    // fits 80 columns, except for long words that cannot be broken
    const text = renderExplanation(told, { colour: false });
    for (const line of text.split('\n')) {
      expect(
        line.length <= 80 ||
          line
            .trim()
            .replace(/ \\$/, '')
            .split(/ (?=[-/'<])/).length <= 2,
        line,
      ).toBe(true);
    }
  });

  it('shows arguments, resources and outputs of a run with --slurm_ arguments', async () => {
    const told = await explain(fixture('g3.direct_docker_run.slurm_args.json'));
    expect(told.container?.arguments).toEqual([
      'Tiny',
      '/mnt/girder_worker/<volume-1>/5-fafafafafafafafafa000004/tiny image.txt',
      '/mnt/girder_worker/<volume-1>/result.txt',
    ]);
    expect(told.resources).toEqual([
      { option: 'mem', value: '8G', origin: { from: 'user' } },
      { option: 'partition', value: 'gpu', origin: { from: 'user' } },
    ]);
    expect(told.sbatch).toEqual(expect.arrayContaining(['--mem=8G', '--partition=gpu', '/site/run.slurm']));
    expect(told.hooks).toMatchObject([{ kind: 'uploadToFolder', filename: 'result.txt' }]);
    expect(told.inputs).toMatchObject([
      {
        kind: 'file',
        direct: false,
        from: 'http://girder.example:8080/api/v1/file/fafafafafafafafafa000004',
      },
    ]);
    expect(told.image).toEqual({
      name: 'example/slurmy:v1',
      sif: '/images/example_slurmy_v1.sif',
      present: true,
    });
  });

  it('uses a file where it lies if it can be read, and Girder where the profile says it is', async () => {
    const told = await explain(fixture('g3.direct_docker_run.tiny_direct.json'), {
      settings: { ...settings, girder: { ...settings.girder, apiUrl: 'http://inside:1/api/v1' } },
      isReadableFile: async () => true,
    });
    expect(told.inputs).toMatchObject([{ kind: 'file', direct: true }]);
    expect(
      told.binds.some(
        ({ container, mode }) => container.startsWith('/mnt/girder_direct_worker/') && mode === 'ro',
      ),
    ).toBe(true);
    expect(told.hooks[0]?.goesTo).toContain('http://inside:1/api/v1');
  });

  it('names every reason, whatever kind it is', async () => {
    const told = await explain(
      fixture('g3.direct_docker_run.slurm_args.json').replaceAll('--slurm_mem', '--slurm_wrap'),
      {
        settings: someSettings({ 'slurm.userOptions': 'mem' }),
        isReadableFile: async () => false,
      },
    );
    expect(told.reasons.map(({ about }) => about)).toEqual(['slurm', 'slurm']);
    expect(told.notes.join('\n')).toContain(
      'This worker has no dirs.logs. The worker does not start without it.',
    );
    expect(told.sbatch).not.toBeNull();

    const late = await explain(fixture('g3.plain.countdown_expires_priority_timelimit_queue.json'), {
      now: Date.parse('2027-01-01T00:00:00Z'),
    });
    expect(late.reasons.map(({ message }) => message)).toEqual([
      expect.stringContaining('expired'),
      expect.stringContaining('cap_tasks.tasks.add'),
    ]);
    expect(late.notes.join('\n')).toContain('the queue "other"');
    expect((await explain(fixture('g3.direct_docker_run.nested.json'))).reasons).toMatchObject([
      { about: 'message' },
    ]);
  });

  it('judges the message, and not a profile that is not ready yet', async () => {
    const unset = { 'dirs.logs': null, 'dirs.images': null };
    const told = await explain(fixture('g3.direct_docker_run.tiny_direct.json'), {
      settings: someSettings(unset),
    });
    expect(told).toMatchObject({ verdict: 'run', reasons: [] });
    expect(told.notes.join('\n')).toMatch(/no dirs\.images.*\n.*no dirs\.logs/);
  });

  it('says what is not to be had without Slurm', async () => {
    const told = await explain(fixture('g3.direct_docker_run.slurm_args.json'), {
      settings: someSettings({ 'worker.executor': 'local', 'slurm.account': 'lab' }),
    });
    expect(told.notes.join('\n')).toMatch(/these options apply only to Slurm: .*account/);
  });

  it('says which tasks are to follow, first of a chain first', async () => {
    expect((await explain(fixture('g3.plain.chain_first_of_three.json'))).followUps).toEqual([
      { when: 'next in chain', task: 'cap_tasks.tasks.add', id: '00000000-0000-4000-8000-000000000089' },
      { when: 'next in chain', task: 'cap_tasks.tasks.add', id: '00000000-0000-4000-8000-000000000088' },
    ]);
    expect(
      (await explain(fixture('g3.plain.link_and_link_error.json'))).followUps.map(({ when }) => when),
    ).toEqual(['on success', 'on failure']);
  });

  it('tells of the streams of docker_run', async () => {
    const told = await explain(fixture('g3.docker_run.streams.json'));
    expect(told.streams.map(({ kind }) => kind)).toEqual([
      'input',
      'output',
      'output',
      'progress',
      'progress',
    ]);
    expect(told.inputs).toMatchObject([{ kind: 'pipe', container: '/mnt/girder_worker/<volume-1>/in.pipe' }]);
  });

  it('tells what never becomes a run, and what runs without Slurm', async () => {
    const tiff = fixture('g3.create_tiff.folder.json');
    const handsOn = someSettings({ 'broker.forwardQueue': 'python' });
    const handedOn = await explain(tiff, { settings: handsOn, now: Date.parse('2100-01-01T00:00:00Z') });
    expect(handedOn).toMatchObject({ verdict: 'handedOn', reasons: [], sbatch: null });
    expect(handedOn.notes).toEqual([expect.stringContaining('queue "python"')]);
    expect(await explain(tiff)).toMatchObject({ verdict: 'refused', reasons: [{ about: 'message' }] });
    // its name is enough for that, whatever it is written in
    const pickled = tiff.replaceAll('application/json', 'application/x-python-serialize');
    expect(await explain(pickled, { settings: handsOn })).toMatchObject({ verdict: 'handedOn', reasons: [] });
    expect(await explain(pickled)).toMatchObject({ verdict: 'refused', task: null });
    const ping = tiff.replaceAll('large_image_tasks.tasks.create_tiff', 'dsa_slurm.doctor.ping');
    expect(await explain(ping)).toMatchObject({ verdict: 'answered', reasons: [] });
    const torn = ping.replaceAll('application/json', 'text/plain');
    expect(await explain(torn)).toMatchObject({ verdict: 'refused' });

    const local = await explain(fixture('g3.direct_docker_run.slurm_args.json'), {
      settings: { ...settings, worker: { ...settings.worker, executor: 'local' } },
    });
    expect(local).toMatchObject({ verdict: 'run', sbatch: null, resources: [] });
    expect(local.apptainer).not.toBeNull();
  });

  it('explains as much as possible of a message that is not a task', async () => {
    const message = JSON.parse(fixture('g3.direct_docker_run.slurm_args.json')) as Record<string, unknown>;
    const pickle = { ...message, properties: { content_type: 'application/x-python-serialize' } };
    expect(await explain(JSON.stringify(pickle))).toMatchObject({
      verdict: 'refused',
      task: null,
      sbatch: null,
    });
    const torn = await explain(JSON.stringify({ ...message, body: '[[], {' }));
    expect(torn.decoded).toBeNull();
    expect(torn.reasons.length).toBeGreaterThan(0);
  });
});

describe('rehearseStaging', () => {
  it('says what staging does, but for the names that only Girder knows', async () => {
    const { directory, setup } = await setUp(() => ({ status: 404, body: '{}' }));
    const options = {
      runId: 'r1',
      tmpDir: directory,
      mountPrefix: '/mnt/nodes',
      directPaths: true,
      apiUrlMap: { 'http://girder.example:8080': 'http://inside' },
    };
    const captured = fixtureTask('g3.docker_run.volumes.json');
    const analysis = readAnalysis({
      ...captured,
      body: captured.body.replaceAll('"host_dir": "/shared', `"host_dir": "${directory}`),
    });
    // what remains if nothing must be downloaded
    const args = analysis.args.filter(({ kind }) => !['file', 'folder', 'item', 'stream'].includes(kind));
    const offline = { ...analysis, args, streams: [] };
    const staged = await stageAnalysis(offline, {
      ...setup,
      ...options,
      privateDirectories: [],
      signal: new AbortController().signal,
    });
    const rehearsed = await dryRunStaging(offline, {
      ...options,
      isReadableFile: async () => false,
      guardBind: async () => undefined,
    });

    const volumes: string[] = [];
    const comparable = (text: string): string =>
      text.replaceAll(/\/mnt\/girder_worker\/([0-9a-f]{32}|<volume-\d+>)/g, (volume) => {
        if (!volumes.includes(volume)) volumes.push(volume);
        return `volume ${volumes.indexOf(volume) + 1}`;
      });
    const compare = ({ args: texts, binds }: Pick<typeof staged, 'args' | 'binds'>): unknown => {
      volumes.length = 0;
      return [
        binds.map((bind) => ({ ...bind, container: comparable(bind.container) })),
        texts.map(comparable),
      ];
    };
    expect(offline.args.length).toBeGreaterThan(2);
    expect(compare(rehearsed.staged)).toEqual(compare(staged));
    expect(rehearsed.staged.ownDirectories).toEqual(staged.ownDirectories);
  });
});
