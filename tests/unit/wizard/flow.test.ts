import { describe, expect, it } from 'vitest';
import { answerTo } from '../../../src/wizard/flow/answer.js';
import { ask } from '../../../src/wizard/flow/interactive-answers.js';
import { Stopped, type Asker, type Reply } from '../../../src/wizard/flow/prompter.js';
import { completeAnswers } from '../../../src/wizard/flow/complete.js';
import type { Doors } from '../../../src/wizard/detect/site-probes.js';
import { fill } from '../../../src/wizard/flow/unattended-answers.js';
import { gatherGiven } from '../../../src/wizard/flow/preset-answers.js';
import { answersFile } from '../../../src/wizard/print-answers.js';
import { questions } from '../../../src/wizard/questions/index.js';
import type { Draft } from '../../../src/wizard/init-answers.js';
import {
  nextQuestion,
  startWalk,
  stepBack,
  takeStep,
  type Walk,
} from '../../../src/wizard/flow/question-flow.js';
import { cluster, detection, openSite } from './support.js';

const detected = detection({ slurm: cluster });
const complete: Record<string, string> = {
  base: '/shared/dsa',
  'broker.host': 'rabbit',
  'broker.user': 'dsa',
  'girder.apiUrl': 'http://girder:8080/api/v1',
};
const password = { DSA_SLURM_INIT_BROKER_PASSWORD: 'hush-hush' };

const given = (flags: Record<string, string>, env: Record<string, string> = {}, text: string | null = null) =>
  gatherGiven({ flags, env, file: text === null ? null : { name: 'site.yaml', text }, lines: null });

const replyOf = (text: string): Reply => (text === '<' ? { kind: 'back' } : { kind: 'text', text });

/** A person who answers by the beginning of the message, each time with the next of the texts; then with Enter. */
function person(script: Record<string, string[]>): { asker: Asker; said: () => string; asked: string[] } {
  const said: string[] = [];
  const asked: string[] = [];
  const next = (message: string): string | undefined => {
    asked.push(message);
    if (asked.length > 100) throw new Error(`There is no end: ${said.slice(-3).join(' ')}`);
    const key = Object.keys(script).find((start) => message.startsWith(start));
    const text = key === undefined ? undefined : script[key]?.shift();
    if (text === 'Ctrl-C') throw new Stopped();
    return text;
  };
  const asker: Asker = {
    say: (text = '') => void said.push(text),
    async text({ message, proposal, hidden, check }) {
      for (;;) {
        const text = next(message) ?? (hidden ? '' : (proposal ?? ''));
        const complaint = text === '<' ? null : await check(text);
        if (complaint === null) return replyOf(text);
        said.push(complaint);
      }
    },
    choose: ({ message, proposal }) => Promise.resolve(replyOf(next(message) ?? proposal ?? '-')),
    yesNo: (message, proposal) => Promise.resolve(proposal ? next(message) !== 'n' : next(message) === 'y'),
    wait: (work) => work(() => undefined, new AbortController().signal),
  };
  return { asker, said: () => said.join('\n'), asked };
}

const answers = {
  'Shared directory': ['/shared/dsa'],
  'RabbitMQ host': ['rabbit'],
  'RabbitMQ password': ['hush-hush'],
  'Address of Girder': ['http://girder/api/v1'],
};

async function askPerson(
  script: Record<string, string[]>,
  over: { known?: Draft; doors?: Partial<Doors>; flags?: Record<string, string>; walk?: Walk } = {},
) {
  const { asker, said, asked } = person({ ...structuredClone(answers), ...script });
  const walks: Walk[] = [];
  const options = {
    walk: over.walk ?? startWalk(over.known ?? {}),
    given: given(over.flags ?? {}),
    detected,
    doors: openSite(over.doors),
    asker,
    dryRun: false,
    onNewUser: () => undefined,
    onWalk: (walk: Walk) => {
      walks.push(walk);
      return Promise.resolve();
    },
  };
  const walk = await ask(options).catch((thrown: unknown) => {
    if (thrown instanceof Stopped) return walks.at(-1) ?? expect.fail('nothing was kept');
    throw thrown;
  });
  return { walk, said, asked };
}

const keys = (draft: Draft): string[] =>
  questions.filter(({ when }) => when?.(draft, detected) ?? true).map(({ key }) => key);

const fillFrom = async (
  given: ReturnType<typeof gatherGiven>,
  known: Draft = {},
  doors: Partial<Doors> = {},
) => fill({ walk: startWalk(known), given, detected, doors: openSite(doors), generate: false });

describe('the steps are pure', () => {
  it('goes on with the first question that applies, and back to the last that a person answered', () => {
    const worker = { executor: 'slurm' } as const;
    const first: Walk = { ...startWalk({}), draft: { worker } };
    const one = nextQuestion(first, detected) ?? expect.fail();
    expect(one.key).toBe('base');
    const second = takeStep(first, one, { worker, base: '/a' }, true);
    const two = nextQuestion(second, detected) ?? expect.fail();
    expect(two.key).toBe('dirs.tmp');
    const third = takeStep(second, two, { ...second.draft, dirs: { tmp: '/a/tmp' } }, false);
    const back = stepBack(third) ?? expect.fail();
    expect(nextQuestion(back, detected)?.key).toBe('base');
    expect(back).toMatchObject({ draft: { worker }, known: { base: '/a' }, steps: [] });
    expect(stepBack(back)).toBeNull();
  });

  it('asks nothing of Slurm where this host runs the jobs', () => {
    const here = keys({ worker: { executor: 'local' } });
    expect(here.filter((key) => key.startsWith('slurm.'))).toEqual([]);
    expect(here).toContain('worker.localJobs');
    expect(keys({ worker: { executor: 'slurm' } })).not.toContain('worker.localJobs');
  });

  it('asks where analyses run only where Slurm does not answer', () => {
    const [question] = questions.filter(({ key }) => key === 'worker.executor');
    expect(question?.asked?.({}, detected, {})).toBe(false);
    expect(question?.asked?.({}, detection(), {})).toBe(true);
    // whoever left Slurm aside before may have thought better of it
    expect(question?.asked?.({}, detected, { worker: { executor: 'local' } })).toBe(true);
  });

  it('asks about the archive only where its files are wanted', () => {
    expect(keys({ deployment: null })).not.toContain('deployment.adminPassword');
    expect(keys({ deployment: { flavour: 'stock' } })).toContain('deployment.adminPassword');
  });
});

describe('a person', () => {
  it('hears nothing of groups, nodes and submitting where this host runs the jobs', async () => {
    const flags = { 'worker.executor': 'local', base: '/shared/dsa', 'apptainer.command': 'apptainer' };
    const { asked, said, walk } = await askPerson({}, { flags });
    expect(walk.draft.worker).toEqual({ executor: 'local', localJobs: 2 });
    expect(said()).toContain('Directory for what the worker needs /shared/dsa');
    expect(said()).toContain('Command of the container runtime apptainer');
    expect(asked).toContain('Script that runs each job');
    expect([...asked, said()].join('\n')).not.toMatch(/\b(group|nodes|submit)/i);
  });

  it('comes to the end with Enter where something is proposed', async () => {
    const { walk, said } = await askPerson({});
    const site = completeAnswers(walk.draft, 'default');
    expect(site.dirs).toEqual({
      tmp: '/shared/dsa/tmp',
      logs: '/shared/dsa/logs',
      images: '/shared/dsa/images',
      submitScript: '/shared/dsa/singularity.slurm',
    });
    expect(site.slurm.partition).toBe('main');
    expect(site.broker).toMatchObject({ host: 'rabbit', port: 5672, password: 'hush-hush' });
    expect(site.girder.major).toBe(5);
    expect(site.deployment).toBeNull();
    expect(said()).not.toContain('hush-hush');
  });

  it('goes back over what nobody asked, and the new answer counts', async () => {
    const { walk, asked } = await askPerson({
      'RabbitMQ host': ['amqps://old:1/x', 'new'],
      'RabbitMQ user': ['<', 'dsa'],
    });
    expect(asked.filter((message) => message.startsWith('RabbitMQ host'))).toHaveLength(2);
    expect(walk.draft.broker).toMatchObject({ host: 'new', port: 5672, vhost: '/', tls: false });
  });

  it('is told why an answer cannot be used, and asked again', async () => {
    const { walk, said } = await askPerson({ 'Inputs and outputs': ['tmp', '/shared/dsa/in'] });
    expect(said()).toContain('This is not an absolute path.');
    expect(walk.draft.dirs?.tmp).toBe('/shared/dsa/in');
  });

  it('stops and goes on', async () => {
    const stopped = await askPerson({ 'RabbitMQ user': ['Ctrl-C'] });
    expect(stopped.walk.draft.broker?.host).toBe('rabbit');
    const { walk, asked } = await askPerson({}, { walk: JSON.parse(JSON.stringify(stopped.walk)) as Walk });
    expect(asked[0]).toBe('RabbitMQ user');
    expect(walk.draft.dirs?.tmp).toBe('/shared/dsa/tmp');
  });

  it('is not asked what was given, unless it cannot be used', async () => {
    const good = await askPerson({}, { flags: { 'slurm.partition': 'long' } });
    expect(good.asked).not.toContain('Partition of jobs');
    expect(good.walk.draft.slurm?.partition).toBe('long');
    const bad = await askPerson(
      { 'Partition of jobs': ['main'] },
      { flags: { 'slurm.partition': 'none-such' } },
    );
    expect(bad.said()).toContain('There is no partition none-such.');
    expect(bad.walk.draft.slurm?.partition).toBe('main');
  });

  it('gets new credentials for the asking', async () => {
    const { walk, said } = await askPerson(
      { 'RabbitMQ host': ['rabbit'], 'RabbitMQ user': ['guest'], 'RabbitMQ password': ['guest'] },
      {},
    );
    expect(said()).toContain('open at rabbit');
    expect(walk.draft.broker?.user).toBe('dsa');
    expect(walk.draft.broker?.password).toMatch(/^[0-9a-f]{36}$/);
  });

  it('keeps what was so before with Enter', async () => {
    const known: Draft = {
      ...(await askPerson({})).walk.draft,
      slurm: { partition: 'long', time: '1:00:00' },
    };
    const { walk } = await askPerson(
      { 'Shared directory': [], 'RabbitMQ host': [], 'RabbitMQ password': [], 'Address of Girder': [] },
      { known },
    );
    expect(walk.draft.slurm).toMatchObject({ partition: 'long', time: '1:00:00' });
    expect(walk.draft.broker?.password).toBe('hush-hush');
  });
});

describe('nobody', () => {
  it('everything that is missing or wrong is told at once', async () => {
    const { problems } = await fillFrom(given({ 'dirs.tmp': 'x', 'slurm.cpus': 'many' }));
    expect(problems.map(({ key }) => key)).toEqual([
      'dirs.tmp',
      'dirs.logs',
      'dirs.images',
      'dirs.submitScript',
      'slurm.cpus',
      'broker.host',
      'girder.apiUrl',
    ]);
    expect(problems[1]?.fix).toBe(
      'Give it with --logs, DSA_SLURM_INIT_DIRS_LOGS, or dirs.logs in the answers file.',
    );
  });

  it('flag before environment before file; the same answers from a printed file', async () => {
    const file = 'broker: { host: from-file, port: 5673 }\nslurm: { time: 04:00:00, cpus: 4 }\nprofile: x\n';
    const sources = given(complete, { ...password, DSA_SLURM_INIT_BROKER_USER: 'env' }, file);
    const { walk, problems } = await fillFrom(sources);
    expect(problems).toEqual([]);
    expect(walk.draft.broker).toMatchObject({ host: 'rabbit', port: 5673, user: 'dsa' });
    expect(walk.draft.slurm).toMatchObject({ time: '04:00:00', cpus: 4 });

    const printed = answersFile(walk.draft, 'default', detected);
    expect(printed).not.toContain('hush-hush');
    expect(printed).toContain('DSA_SLURM_INIT_BROKER_PASSWORD');
    const again = await fillFrom(given({}, password, printed));
    expect(again.problems).toEqual([]);
    expect(completeAnswers(again.walk.draft, 'p')).toEqual(completeAnswers(walk.draft, 'p'));
    expect(answersFile(again.walk.draft, 'default', detected)).toBe(printed);
  });

  it('a site with an archive comes back from its printed file as well', async () => {
    const flags = { ...complete, 'deployment.flavour': 'stock', 'broker.host': 'localhost' };
    const made = await fill({
      walk: startWalk({}),
      given: given(flags),
      detected,
      doors: openSite(),
      generate: true,
    });
    expect(made.problems).toEqual([]);
    const { deployment, broker } = completeAnswers(made.walk.draft, 'p');
    expect(deployment).toMatchObject({ flavour: 'stock', directory: '/shared/dsa/dsa', user: '1000:1000' });
    const secrets = {
      DSA_SLURM_INIT_BROKER_PASSWORD: broker.password,
      DSA_SLURM_INIT_DEPLOYMENT_ADMIN_PASSWORD: deployment?.adminPassword ?? '',
    };
    const printed = answersFile(made.walk.draft, 'p', detected);
    const again = await fillFrom(
      given({}, { ...secrets, DSA_SLURM_INIT_MONGO_URI: made.walk.draft.mongo?.uri ?? '' }, printed),
    );
    expect(again.problems).toEqual([]);
    expect(completeAnswers(again.walk.draft, 'p')).toEqual(completeAnswers(made.walk.draft, 'p'));
  });

  it.each<[string, Parameters<typeof given>]>([
    ['an unknown key', [{ 'slurm.partion': 'x' }]],
    ['a secret in a flag', [{ 'broker.password': 'hush-hush' }]],
    ['a file that is no YAML', [{}, {}, 'broker: {password: hush-hush']],
    ['a list in a file', [{}, {}, 'base: [hush-hush]']],
    ['an unknown key in a file', [{}, {}, 'brokr: {host: x}']],
  ])('%s is refused, and no secret is said', (_what, args) => {
    const act = (): unknown => given(...args);
    expect(act).toThrow();
    expect(act).not.toThrow(/hush-hush/);
  });

  it('every answer that is taken is one that was asked for', async () => {
    const { walk } = await fillFrom(given(complete, password));
    const open = questions.filter(
      (question) =>
        (question.when?.(walk.draft, detected) ?? true) && answerTo(question, walk.draft) === undefined,
    );
    expect(open).toEqual([]);
  });
});
