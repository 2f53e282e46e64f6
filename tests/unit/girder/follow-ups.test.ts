import { describe, expect, it } from 'vitest';
import { WholeFloat } from '../../../src/base/text/python-json.js';
import { buildFollowUps, neverStarted, type FollowUps } from '../../../src/girder/canvas/follow-ups.js';
import { encodeHooks } from '../../../src/girder/canvas/follow-up.js';
import { fixtureTask } from './fixtures.js';
import * as p from './pickles.js';

type Json = Record<string, unknown>;

const after = (embed: Json, outcome: 'succeeded' | 'failed' = 'succeeded'): FollowUps =>
  buildFollowUps({ ...p.taskOf({ embed }), id: 'run-1', rootId: 'root' }, outcome);
const signature = (task: string, more: Json = {}): Json => ({
  task,
  args: [],
  kwargs: {},
  options: {},
  subtask_type: null,
  immutable: false,
  ...more,
});
const chain = (tasks: unknown[], options: Json = {}) =>
  signature('celery.chain', { kwargs: { tasks }, subtask_type: 'chain', options });
const group = (tasks: unknown[], options: Json = {}) =>
  signature('celery.group', { kwargs: { tasks }, subtask_type: 'group', options });
const bodies = ({ messages }: FollowUps): unknown[] =>
  messages.map(({ body }) => JSON.parse(body) as unknown);

function fixture(name: string) {
  const task = fixtureTask(name);
  return { ...task, id: String(task.headers['id']), rootId: String(task.headers['root_id']) };
}

describe('captured messages', () => {
  it('link: the result comes first', () => {
    const task = fixture('g3.plain.link_and_link_error.json');
    const { messages, children, errors } = buildFollowUps(task, 'succeeded');
    expect(errors).toEqual([]);
    expect(messages).toMatchObject([
      {
        task: 'cap_tasks.tasks.add',
        exchange: '',
        routingKey: 'celery',
        rootId: task.id,
        parentId: task.id,
        groupId: null,
        argsrepr: '(None, 10)',
        kwargsrepr: '{}',
      },
    ]);
    expect(messages[0]?.body).toBe(
      '{"py/tuple": [{"py/tuple": [null, 10]}, {}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]}',
    );
    expect(children).toEqual([[[messages[0]?.id, null], null]]);
  });

  it('link_error: the id of the failed task, and a group; no child', () => {
    const task = fixture('g3.plain.link_and_link_error.json');
    const { messages, children } = buildFollowUps(task, 'failed');
    expect(messages).toMatchObject([
      {
        task: 'cap_tasks.tasks.errback',
        parentId: task.id,
        groupId: expect.stringMatching(/^[-0-9a-f]{36}$/) as string,
      },
    ]);
    expect(messages[0]?.body).toContain(`[{"py/tuple": ["${task.id}"]}, {}`);
    expect(children).toEqual([]);
  });

  it.each([
    ['g3', '80', '88', '89'],
    ['g5', '05', '13', '14'],
  ])('%s: the next of a chain, with its own id and the rest without an application', (girder, ...numbers) => {
    const task = fixture(`${girder}.plain.chain_first_of_three.json`);
    const front = girder === 'g3' ? '0000000000' : '0000000001';
    const [replyTo = '', lastId, nextId] = numbers.map(
      (number) => `00000000-0000-4000-8000-${front}${number}`,
    );
    const [next] = buildFollowUps(task, 'succeeded').messages;
    expect(next).toMatchObject({ task: 'cap_tasks.tasks.add', id: nextId, replyTo, rootId: task.id });
    const rest = `[{"py/object": "celery.canvas.Signature", "task": "cap_tasks.tasks.add", "args": {"py/tuple": [4]}, "kwargs": {}, "options": {"task_id": "${lastId}", "reply_to": "${replyTo}"}, "subtask_type": null, "immutable": false}]`;
    expect(next?.body).toBe(
      `{"py/tuple": [{"py/tuple": [null, 3]}, {}, {"callbacks": null, "errbacks": null, "chain": ${rest}, "chord": null}]}`,
    );
    expect(buildFollowUps(task, 'failed').messages).toEqual([]);
    expect(neverStarted(task)).toEqual([lastId, nextId].map((id) => ({ id, replyTo })));
  });

  it('a member of a group has no follow-ups', () => {
    for (const name of ['g3.plain.group_member_0.json', 'g5.plain.group_member_1.json']) {
      expect(buildFollowUps(fixture(name), 'succeeded')).toEqual({ messages: [], children: [], errors: [] });
    }
  });
});

describe('ids', () => {
  it('are the same each time, and differ by run and place', () => {
    const embed = { callbacks: [signature('a'), signature('a')], chain: [signature('b'), signature('a')] };
    const ids = after(embed).messages.map(({ id }) => id);
    expect(after(embed).messages.map(({ id }) => id)).toEqual(ids);
    const other = buildFollowUps({ ...p.taskOf({ embed }), id: 'run-2', rootId: null }, 'succeeded');
    expect(new Set([...ids, ...other.messages.map(({ id }) => id)]).size).toBe(6);
    expect(other.messages[0]?.rootId).toBe('run-2');
  });

  it('of a chain and of the callbacks of its last task are kept', () => {
    const link = signature('after');
    const wanted = chain([signature('a'), chain([signature('b')]), group([signature('c')])], {
      task_id: 'last',
      link: [link],
      link_error: link,
      queue: 'first-only',
    });
    const { messages } = after({ callbacks: [wanted] });
    expect(messages).toMatchObject([{ task: 'a', routingKey: 'first-only', place: 'link.0.0' }]);
    const [body] = bodies({ messages, children: [], errors: [] }) as [Json];
    const { errbacks, chain: rest } = (body['py/tuple'] as [unknown, unknown, Json])[2];
    expect(errbacks).toEqual([link]);
    // the second object is the first one, referenced again
    expect(rest).toMatchObject([
      { task: 'c', options: { task_id: 'last', root_id: 'root' } },
      { task: 'b', options: { root_id: 'root' } },
    ]);
  });

  it('of groups are shared by all nested members', () => {
    const { messages, children } = after({
      callbacks: [
        group([signature('a'), group([signature('b')]), signature('c', { options: { group_id: 'own' } })], {
          task_id: 'g',
          priority: 2,
        }),
      ],
    });
    expect(messages.map(({ task, groupId, priority }) => [task, groupId, priority])).toEqual([
      ['a', 'g', 2],
      ['b', 'g', 2],
      ['c', 'own', 2],
    ]);
    expect(children).toEqual([[['g', null], messages.map(({ id }) => [[id, null], null])]]);
  });
});

describe('options', () => {
  it('set destination and time', () => {
    const options = {
      queue: 'gpu',
      priority: 4,
      countdown: 30,
      expires: {
        'py/object': 'datetime.datetime',
        __reduce__: [{ 'py/type': 'datetime.datetime' }, ['B+oLFwoEHgp2TA==']],
      },
      time_limit: 5,
      delivery_mode: 1,
      retries: 2,
      group_index: 3,
      ignore_result: true,
      headers: { a: [1, { b: null }] },
    };
    expect(after({ callbacks: [signature('a', { options })] }).messages).toMatchObject([
      {
        routingKey: 'gpu',
        priority: 4,
        eta: 30,
        expires: '2026-11-23T10:04:30.685644',
        timeLimits: [5, null],
        persistent: false,
        retries: 2,
        groupIndex: 3,
        ignoreResult: true,
        ownHeaders: { a: [1, { b: null }] },
      },
    ]);
  });

  it.each([
    [{ exchange: 'x', routing_key: 'k', queue: 'q' }, 'x', 'k'],
    [{ routing_key: 'k' }, '', 'celery'],
    [{ exchange: 'x' }, '', 'celery'],
  ])('%o lead to exchange "%s" with "%s"', (options, exchange, routingKey) => {
    expect(after({ callbacks: [signature('a', { options })] }).messages).toMatchObject([
      { exchange, routingKey },
    ]);
  });

  it('keep the number types of headers and reject values that do not fit into a header', () => {
    const callback = signature('a', { options: { headers: { n: 'BIG', whole: 'FLOAT' } } });
    const embed = { callbacks: [callback] };
    const bodyWith = (big: string): string =>
      JSON.stringify([[], {}, embed]).replace('"BIG"', big).replace('"FLOAT"', '1.0');
    const headersWith = (big: string) =>
      buildFollowUps({ headers: {}, body: bodyWith(big), id: 'run-1', rootId: null }, 'succeeded');
    expect(headersWith('-9223372036854775808').messages[0]?.ownHeaders).toEqual({
      n: -(2n ** 63n),
      whole: new WholeFloat(1),
    });
    expect(headersWith('9223372036854775808').errors).toMatchObject([
      expect.stringMatching(/a number that is too large/),
    ]);
  });

  it('of girder_worker become headers and a Girder job', () => {
    const hooks = [p.uploadToFolder(), p.uploadToFolder()];
    const kwargs = {
      image: 'a',
      girder_result_hooks: hooks,
      girder_client_session_kwargs: { verify: false },
    };
    const options = {
      girder_job_title: 'T',
      girder_job_type: 't',
      girder_job_public: true,
      girder_job_other_fields: { a: 1 },
    };
    const [message] = after({
      callbacks: [signature('a', { args: ['x', p.gc()], kwargs, options })],
    }).messages;
    expect(message).toMatchObject({
      ownHeaders: { girder_client_session_kwargs: { verify: false } },
      girderJob: { title: 'T', type: 't', handler: 'celery_handler', public: true, otherFields: { a: 1 } },
      kwargsrepr: "{'image': 'a'}",
    });
    expect(JSON.parse(message?.girderJob?.args ?? '')).toEqual([
      null,
      'x',
      '<girder_client.GirderClient object>',
    ]);
    expect(message?.body).not.toContain('girder_result_hooks');
    const written = encodeHooks(message?.hooks ?? [], p.id);
    expect(written).toEqual([0, 1].map(() => ({ ...p.uploadToFolder(), job: { _id: p.id } })));
  });

  it('mask tokens in the displayed arguments', () => {
    const kwargs = {
      token: 'abc',
      nested: { apiKey: 'abc' },
      list: [p.token, p.gc()],
      digest: `sha256:${'a'.repeat(64)}`,
    };
    const [message] = after({ callbacks: [signature('a', { kwargs })] }).messages;
    expect(message?.kwargsrepr).toBe(
      `{'token': '***', 'nested': {'apiKey': '***'}, 'list': ['***', <girder_client.GirderClient object>], 'digest': 'sha256:${'a'.repeat(64)}'}`,
    );
    const [long] = after({
      callbacks: [signature('a', { args: [Array.from({ length: 5_000 }, () => 'x y')] })],
    }).messages;
    expect(long?.argsrepr.length).toBeLessThan(1_100);
  });
});

describe('a follow-up that cannot be started is reported and does not prevent others:', () => {
  const reduce = { 'py/reduce': [{ 'py/function': 'os.getcwd' }, { 'py/tuple': [] }] };
  it.each<[string, unknown, RegExp]>([
    [
      'an argument that only Python could build',
      signature('a', { args: [reduce] }),
      /only Python can construct/,
    ],
    ['an argument inside itself', signature('a', { args: [[{ 'py/id': 5 }]] }), /refers to itself/],
    ['the queue of Girder itself', signature('a', { options: { queue: 'local' } }), /"local"/],
    [
      'a queue that is an object',
      signature('a', { options: { queue: p.object('kombu.Queue') } }),
      /option queue/,
    ],
    ['an invalid id', signature('a', { options: { task_id: 7 } }), /invalid id/],
    [
      'a hook that only Python could build',
      signature('a', { kwargs: { girder_result_hooks: [reduce] } }),
      /only Python/,
    ],
    ['no signature', 7, /not a Celery signature/],
    ['no task', signature(''), /does not name a task/],
    ['chunks', signature('celery.chunks', { subtask_type: 'chunks' }), /chunks/],
    ['an empty chain', chain([]), /chain without tasks/],
    ['one bad member of a group', group([signature('b'), signature('a', { args: [reduce] })]), /only Python/],
  ])('%s', (_, bad, why) => {
    const { messages, errors } = after({ callbacks: [bad, signature('good')] });
    expect(messages.map(({ task }) => task)).toEqual(['good']);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatch(why);
    expect(after({ errbacks: [bad, signature('good')] }, 'failed').messages).toHaveLength(1);
  });

  it('too many tasks', () => {
    let callback: unknown = signature('a');
    for (let level = 0; level < 5; level += 1) callback = group(Array.from({ length: 10 }, () => callback));
    const { messages, errors } = after({ callbacks: [callback] });
    expect(messages).toEqual([]);
    expect(errors[0]).toMatch(/too many tasks/);
  });
});

/** Each level contains the previous one twice, by reference; `first` is the number of the lowest. */
const levels = (first: number, perLevel: number, wrap: (twice: unknown[]) => unknown): Json =>
  Object.fromEntries(
    Array.from({ length: 60 }, (_, level) => {
      const below = { 'py/id': first + (level - 1) * perLevel };
      return [`l${level}`, wrap(level === 0 ? [] : [below, below])];
    }),
  );

describe('a small message that expands to millions of', () => {
  it('values in a header is rejected at once', () => {
    // before them: kwargs 0, embed 1, callbacks 2, the signature 3, its args 4, kwargs 5, options 6, headers 7
    const headers = levels(8, 1, (twice) => twice);
    const { messages, errors } = after({ callbacks: [signature('a', { options: { headers } })] });
    expect(messages).toEqual([]);
    expect(errors).toEqual([expect.stringContaining('too large for a message') as string]);
  });

  it('characters is rejected at once', () => {
    const long = 'x'.repeat(1024 * 1024);
    // kwargs 0, embed 1, callbacks 2, the signature 3, its args 4
    const callbacks = [
      signature('a', { args: [long] }),
      ...Array.from({ length: 2_000 }, () => ({ 'py/id': 3 })),
    ];
    const many = after({ callbacks });
    expect(many.messages.length).toBeLessThan(70);
    expect(many.errors.length).toBe(50);
    const hooks = [p.uploadToFolder({ job: long }), ...Array.from({ length: 2_000 }, () => ({ 'py/id': 7 }))];
    const { errors } = after({
      callbacks: [signature('a', { kwargs: { girder_result_hooks: hooks } })],
    });
    expect(errors).toEqual([expect.stringContaining('result hooks are too large') as string]);
  });

  it.each(['chain', 'group'])('signatures of a %s is rejected at once', (kind) => {
    // inside a keyword argument; each level is a signature, its args, kwargs, tasks and options
    const held = levels(7, 5, (tasks) =>
      signature(`celery.${kind}`, { kwargs: { tasks }, subtask_type: kind }),
    );
    const top = { 'py/id': 7 + 59 * 5 };
    const callback = [signature('a', { kwargs: { held } }), top];
    for (const [embed, outcome] of [
      [{ callbacks: callback }, 'succeeded'],
      [{ errbacks: callback }, 'failed'],
    ] as const) {
      const { messages, errors } = after(embed, outcome);
      expect(messages.map(({ task }) => task)).toEqual(['a']);
      expect(errors).toEqual([expect.stringContaining('too many tasks') as string]);
    }
  });
});

it('plain JSON stays plain JSON, and whole floats stay floats', () => {
  const body = JSON.stringify([[], {}, { callbacks: [signature('a', { args: ['FLOAT'] })] }]).replace(
    '"FLOAT"',
    '1.0',
  );
  const { messages } = buildFollowUps({ headers: {}, body, id: 'run-1', rootId: null }, 'succeeded');
  expect(messages[0]?.body).toBe(
    '[[null, 1.0], {}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]',
  );
  expect(messages[0]?.argsrepr).toBe('(None, 1.0)');
});
