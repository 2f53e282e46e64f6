import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { answerTo } from '../../../src/wizard/flow/answer.js';
import { askQuestions } from '../../../src/wizard/flow/interactive-answers.js';
import { Stopped, type Prompter, type Reply } from '../../../src/wizard/flow/prompter.js';
import { completeAnswers } from '../../../src/wizard/flow/complete.js';
import type { SiteProbes } from '../../../src/wizard/detect/site-probes.js';
import { answerUnattended } from '../../../src/wizard/flow/unattended-answers.js';
import { collectPresets } from '../../../src/wizard/flow/preset-answers.js';
import { answersFile } from '../../../src/wizard/print-answers.js';
import { recapText } from '../../../src/wizard/flow/recap.js';
import { questions } from '../../../src/wizard/questions/index.js';
import type { Draft } from '../../../src/wizard/init-answers.js';
import {
  nextQuestion,
  startFlow,
  stepBack,
  advance,
  type FlowState,
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

const presets = (
  flags: Record<string, string>,
  env: Record<string, string> = {},
  text: string | null = null,
) => collectPresets({ flags, env, file: text === null ? null : { name: 'site.yaml', text }, lines: null });

const replyOf = (text: string): Reply => (text === '<' ? { kind: 'back' } : { kind: 'text', text });

/** A prompter that answers by the beginning of the message, each time with the next text, and then with Enter. */
function scriptedPrompter(script: Record<string, string[]>): {
  prompter: Prompter;
  messages: () => string;
  asked: string[];
} {
  const messages: string[] = [];
  const asked: string[] = [];
  const next = (message: string): string | undefined => {
    asked.push(message);
    if (asked.length > 100) throw new Error(`There is no end: ${messages.slice(-3).join(' ')}`);
    const key = Object.keys(script).find((start) => message.startsWith(start));
    const text = key === undefined ? undefined : script[key]?.shift();
    if (text === 'Ctrl-C') throw new Stopped();
    return text;
  };
  const prompter: Prompter = {
    print: (text = '') => void messages.push(text),
    async text({ message, proposal, hidden, check }) {
      for (;;) {
        const text = next(message) ?? (hidden ? '' : (proposal ?? ''));
        const complaint = text === '<' ? null : await check(text);
        if (complaint === null) return replyOf(text);
        messages.push(complaint);
      }
    },
    choose: ({ message, proposal }) => Promise.resolve(replyOf(next(message) ?? proposal ?? '-')),
    confirm: (message, proposal) => {
      const text = next(message);
      return Promise.resolve(text === '<' ? 'back' : proposal ? text !== 'n' : text === 'y');
    },
    page: (text) => Promise.resolve(void messages.push(text)),
    busy: (_message, work) => work(),
    wait: (work) => work(() => undefined, new AbortController().signal),
  };
  return { prompter, messages: () => messages.join('\n'), asked };
}

const answers = {
  'Shared directory': ['/shared/dsa'],
  'RabbitMQ host': ['rabbit'],
  'RabbitMQ password': ['hush-hush'],
  'Address of Girder': ['http://girder/api/v1'],
};

async function askWith(
  script: Record<string, string[]>,
  over: {
    known?: Draft;
    probes?: Partial<SiteProbes>;
    flags?: Record<string, string>;
    flow?: FlowState;
  } = {},
) {
  const { prompter, messages, asked } = scriptedPrompter({ ...structuredClone(answers), ...script });
  const states: FlowState[] = [];
  const options = {
    flow: over.flow ?? startFlow(over.known ?? {}),
    presets: presets(over.flags ?? {}),
    detected,
    probes: openSite(over.probes),
    prompter,
    dryRun: false,
    onNewUser: () => undefined,
    onProgress: (flow: FlowState) => {
      states.push(flow);
      return Promise.resolve();
    },
  };
  const flow = await askQuestions(options).catch((thrown: unknown) => {
    if (thrown instanceof Stopped) return states.at(-1) ?? expect.fail('nothing was kept');
    throw thrown;
  });
  return { flow, messages, asked };
}

const keys = (draft: Draft): string[] =>
  questions.filter(({ when }) => when?.(draft, detected) ?? true).map(({ key }) => key);

const answerFrom = async (
  preset: ReturnType<typeof collectPresets>,
  known: Draft = {},
  probes: Partial<SiteProbes> = {},
) =>
  answerUnattended({
    flow: startFlow(known),
    presets: preset,
    detected,
    probes: openSite(probes),
    generate: false,
  });

describe('at a yes/no question', () => {
  it('< and no both lead back to the answer, which is shown as not used', async () => {
    for (const answer of ['<', 'n']) {
      const { flow, messages } = await askWith({
        'Memory of a job': ['2', '2G'],
        'Use it anyway?': [answer],
      });
      expect(flow.draft.slurm?.mem).toBe('2G');
      expect(messages()).toContain('Not used: 2');
    }
  });
});

describe('the recap', () => {
  it('has each answer once, by section, without secrets', async () => {
    const { flow } = await askWith({ 'Memory of a job': ['16G'] });
    const text = stripVTControlCharacters(recapText(flow));
    expect(text).toMatch(/Directories\n +Shared directory of your group +\/shared\/dsa\n/);
    expect(text).toMatch(/Memory of a job, such as 16G +16G/);
    expect(text).toMatch(/CPUs of a job +none/);
    expect(text).toMatch(/RabbitMQ password +\(hidden\)/);
    expect(text).not.toContain('hush-hush');
  });
});

describe('an answers file', () => {
  it('with several unknown keys names all of them', () => {
    expect(() => presets({}, {}, 'slurm: {partion: a}\nbroker: {hots: b}\nzzzzzz: 1')).toThrow(
      '3 unknown answer keys (from site.yaml):\n  "slurm.partion": did you mean slurm.partition?\n  "broker.hots": did you mean broker.host?\n  "zzzzzz"',
    );
  });
});

describe('the steps are pure', () => {
  it('continues with the first applicable question, and goes back to the last one that the operator answered', () => {
    const worker = { executor: 'slurm' } as const;
    const first: FlowState = { ...startFlow({}), draft: { worker } };
    const one = nextQuestion(first, detected) ?? expect.fail();
    expect(one.key).toBe('base');
    const second = advance(first, one, { worker, base: '/a' }, true);
    const two = nextQuestion(second, detected) ?? expect.fail();
    expect(two.key).toBe('dirs.tmp');
    const third = advance(second, two, { ...second.draft, dirs: { tmp: '/a/tmp' } }, false);
    const back = stepBack(third) ?? expect.fail();
    expect(nextQuestion(back, detected)?.key).toBe('base');
    expect(back).toMatchObject({ draft: { worker }, known: { base: '/a' }, steps: [] });
    expect(stepBack(back)).toBeNull();
  });

  it('skips questions about Slurm if this host runs the jobs', () => {
    const here = keys({ worker: { executor: 'local' } });
    expect(here.filter((key) => key.startsWith('slurm.'))).toEqual([]);
    expect(here).toContain('worker.localJobs');
    expect(keys({ worker: { executor: 'slurm' } })).not.toContain('worker.localJobs');
  });

  it('asks where analyses run only if Slurm was not detected', () => {
    const [question] = questions.filter(({ key }) => key === 'worker.executor');
    expect(question?.asked?.({}, detected, {})).toBe(false);
    expect(question?.asked?.({}, detection(), {})).toBe(true);
    // the operator may want to change an earlier choice of `local`
    expect(question?.asked?.({}, detected, { worker: { executor: 'local' } })).toBe(true);
  });

  it('asks about the deployment only if its files are written', () => {
    expect(keys({ deployment: null })).not.toContain('deployment.adminPassword');
    expect(keys({ deployment: { flavour: 'stock' } })).toContain('deployment.adminPassword');
  });
});

describe('at a terminal', () => {
  it('prompts do not mention nodes or submitting if this host runs the jobs', async () => {
    const flags = { 'worker.executor': 'local', base: '/shared/dsa', 'apptainer.command': 'apptainer' };
    const { asked, messages, flow } = await askWith({}, { flags });
    expect(flow.draft.worker).toEqual({ executor: 'local', localJobs: 2 });
    expect(messages()).toContain('Directory for the worker’s files /shared/dsa');
    expect(messages()).toContain('Command of the container runtime apptainer');
    expect(asked).toContain('Script that runs each job');
    expect([...asked, messages()].join('\n')).not.toMatch(/\b(group|nodes|submit)/i);
  });

  it('Enter accepts every proposal', async () => {
    const { flow, messages } = await askWith({});
    const site = completeAnswers(flow.draft, 'default');
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
    expect(messages()).not.toContain('hush-hush');
  });

  it('going back skips questions that were not asked, and the new answer replaces the old one', async () => {
    const { flow, asked } = await askWith({
      'RabbitMQ host': ['amqps://old:1/x', 'new'],
      'RabbitMQ user': ['<', 'dsa'],
    });
    expect(asked.filter((message) => message.startsWith('RabbitMQ host'))).toHaveLength(2);
    expect(flow.draft.broker).toMatchObject({ host: 'new', port: 5672, vhost: '/', tls: false });
  });

  it('reports why an answer is invalid, and asks again', async () => {
    const { flow, messages } = await askWith({ 'Inputs and outputs': ['tmp', '/shared/dsa/in'] });
    expect(messages()).toContain('This is not an absolute path.');
    expect(flow.draft.dirs?.tmp).toBe('/shared/dsa/in');
  });

  it('continues after an interruption', async () => {
    const stopped = await askWith({ 'RabbitMQ user': ['Ctrl-C'] });
    expect(stopped.flow.draft.broker?.host).toBe('rabbit');
    const { flow, asked } = await askWith(
      {},
      { flow: JSON.parse(JSON.stringify(stopped.flow)) as FlowState },
    );
    expect(asked[0]).toBe('RabbitMQ user');
    expect(flow.draft.dirs?.tmp).toBe('/shared/dsa/tmp');
  });

  it('does not ask for preset answers unless they are invalid', async () => {
    const good = await askWith({}, { flags: { 'slurm.partition': 'long' } });
    expect(good.asked).not.toContain('Partition of jobs');
    expect(good.flow.draft.slurm?.partition).toBe('long');
    const bad = await askWith(
      { 'Partition of jobs': ['main'] },
      { flags: { 'slurm.partition': 'none-such' } },
    );
    expect(bad.messages()).toContain('There is no partition none-such.');
    expect(bad.flow.draft.slurm?.partition).toBe('main');
  });

  it('offers new credentials for RabbitMQ', async () => {
    const { flow, messages } = await askWith(
      { 'RabbitMQ host': ['rabbit'], 'RabbitMQ user': ['guest'], 'RabbitMQ password': ['guest'] },
      {},
    );
    expect(messages()).toContain('reachable at rabbit');
    expect(flow.draft.broker?.user).toBe('dsa');
    expect(flow.draft.broker?.password).toMatch(/^[0-9a-f]{36}$/);
  });

  it('Enter keeps the previous answers', async () => {
    const known: Draft = {
      ...(await askWith({})).flow.draft,
      slurm: { partition: 'long', time: '1:00:00' },
    };
    const { flow } = await askWith(
      { 'Shared directory': [], 'RabbitMQ host': [], 'RabbitMQ password': [], 'Address of Girder': [] },
      { known },
    );
    expect(flow.draft.slurm).toMatchObject({ partition: 'long', time: '1:00:00' });
    expect(flow.draft.broker?.password).toBe('hush-hush');
  });
});

describe('without a terminal', () => {
  it('all missing and invalid answers are reported at once', async () => {
    const { problems } = await answerFrom(presets({ 'dirs.tmp': 'x', 'slurm.cpus': 'many' }));
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

  it('flags take precedence over the environment, and that over the file; a printed file gives the same answers', async () => {
    const file = 'broker: { host: from-file, port: 5673 }\nslurm: { time: 04:00:00, cpus: 4 }\nprofile: x\n';
    const sources = presets(complete, { ...password, DSA_SLURM_INIT_BROKER_USER: 'env' }, file);
    const { flow, problems } = await answerFrom(sources);
    expect(problems).toEqual([]);
    expect(flow.draft.broker).toMatchObject({ host: 'rabbit', port: 5673, user: 'dsa' });
    expect(flow.draft.slurm).toMatchObject({ time: '04:00:00', cpus: 4 });

    const printed = answersFile(flow.draft, 'default', detected);
    expect(printed).not.toContain('hush-hush');
    expect(printed).toContain('DSA_SLURM_INIT_BROKER_PASSWORD');
    const again = await answerFrom(presets({}, password, printed));
    expect(again.problems).toEqual([]);
    expect(completeAnswers(again.flow.draft, 'p')).toEqual(completeAnswers(flow.draft, 'p'));
    expect(answersFile(again.flow.draft, 'default', detected)).toBe(printed);
  });

  it('a site with a deployment can be restored from its printed file', async () => {
    const flags = { ...complete, 'deployment.flavour': 'stock', 'broker.host': 'localhost' };
    const made = await answerUnattended({
      flow: startFlow({}),
      presets: presets(flags),
      detected,
      probes: openSite(),
      generate: true,
    });
    expect(made.problems).toEqual([]);
    const { deployment, broker } = completeAnswers(made.flow.draft, 'p');
    expect(deployment).toMatchObject({ flavour: 'stock', directory: '/shared/dsa/dsa', user: '1000:1000' });
    const secrets = {
      DSA_SLURM_INIT_BROKER_PASSWORD: broker.password,
      DSA_SLURM_INIT_DEPLOYMENT_ADMIN_PASSWORD: deployment?.adminPassword ?? '',
    };
    const printed = answersFile(made.flow.draft, 'p', detected);
    const again = await answerFrom(
      presets({}, { ...secrets, DSA_SLURM_INIT_MONGO_URI: made.flow.draft.mongo?.uri ?? '' }, printed),
    );
    expect(again.problems).toEqual([]);
    expect(completeAnswers(again.flow.draft, 'p')).toEqual(completeAnswers(made.flow.draft, 'p'));
  });

  it.each<[string, Parameters<typeof presets>]>([
    ['an unknown key', [{ 'slurm.partion': 'x' }]],
    ['a secret in a flag', [{ 'broker.password': 'hush-hush' }]],
    ['a file that is not YAML', [{}, {}, 'broker: {password: hush-hush']],
    ['a list in a file', [{}, {}, 'base: [hush-hush]']],
    ['an unknown key in a file', [{}, {}, 'brokr: {host: x}']],
  ])('%s is rejected without printing a secret', (_what, args) => {
    const act = (): unknown => presets(...args);
    expect(act).toThrow();
    expect(act).not.toThrow(/hush-hush/);
  });

  it('all applicable questions are answered, and no others', async () => {
    const { flow } = await answerFrom(presets(complete, password));
    const open = questions.filter(
      (question) =>
        (question.when?.(flow.draft, detected) ?? true) && answerTo(question, flow.draft) === undefined,
    );
    expect(open).toEqual([]);
  });
});
