import { describe, expect, it } from 'vitest';
import { catalog, checkValue, findSetting, maskedValue, formatValue } from '../../../src/config/catalog.js';
import { closestMatch } from '../../../src/config/config-error.js';
import { parseValue } from '../../../src/config/parse-value.js';
import { load } from './support.js';

describe('the catalog', () => {
  it('assigns every environment variable to one setting', () => {
    const names = catalog.flatMap(({ env }) => env);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
    expect(
      catalog.every(({ env: [own, ...legacy] }) => /^DSA_SLURM_[A-Z_]+$/.test(own) && !legacy.includes(own)),
    ).toBe(true);
  });

  it.each(catalog.map((setting) => [setting.key, setting] as const))(
    '%s: example and default are good',
    (_, setting) => {
      expect(checkValue(setting, parseValue(setting, setting.info.example))).toMatchObject({ ok: true });
      if (setting.info.derived === undefined) {
        expect(checkValue(setting, setting.info.default)).toMatchObject({
          ok: true,
          value: setting.info.default,
        });
      }
    },
  );

  it('formats every value as text that parses back to it', () => {
    const { settings } = load({
      flags: { 'apptainer.options': '["--bind=/a,/b", "-e"]', 'girder.apiUrlMap': 'http://a=http://b' },
    });
    for (const setting of catalog) {
      const value = (settings as Record<string, Record<string, unknown>>)[setting.group]?.[setting.name];
      if (value !== null) expect(parseValue(setting, formatValue(value)), setting.key).toEqual(value);
    }
  });
});

describe('text', () => {
  it.each([
    ['slurm.cpus', '8', 8],
    ['slurm.cpus', 'eight', 'eight'],
    ['slurm.mem', '8', '8'],
    ['worker.keepFiles', 'Yes', true],
    ['worker.keepFiles', '0', false],
    ['broker.queues', ' a , b,', ['a', 'b']],
    ['broker.queues', '["a,b"]', ['a,b']],
    ['broker.queues', '["a"', '["a"'],
    ['girder.apiUrlMap', 'http://a=http://b/?c=d', { 'http://a': 'http://b/?c=d' }],
    ['girder.apiUrlMap', '{"http://a":"http://b"}', { 'http://a': 'http://b' }],
    ['girder.apiUrlMap', 'http://a', 'http://a'],
    ['girder.apiUrlMap', '', {}],
  ])('%s %j', (key, text, value) => {
    const setting = findSetting(key);
    expect(setting && parseValue(setting, text)).toEqual(value);
  });
});

describe('secrets', () => {
  const url = findSetting('broker.url');
  const backend = findSetting('broker.backend');

  it.each([
    [url, 'amqp://user:hush@host/', 'amqp://user:***@host/'],
    [backend, 'rpc://user:hush@host/', 'rpc://user:***@host/'],
    [backend, 'rpc', 'rpc'],
    [url, 'no url: hush', '***'],
    [
      findSetting('notices.webhook'),
      'https://u:hush@chat.example.org/hooks/hush?t=hush',
      'https://chat.example.org/***',
    ],
  ])('%#: password masked', (setting, value, shown) => {
    expect(setting && maskedValue(setting, value)).toBe(shown);
  });
});

describe('closestMatch', () => {
  const keys = ['slurm.partition', 'slurm.qos', 'slurm', 'worker.inFlight'];

  it.each([
    ['slurm.partiton', 'slurm.partition'],
    ['partition', 'slurm.partition'],
    ['slrum', 'slurm'],
    ['worker.inflight', 'worker.inFlight'],
    ['slurm.nope', undefined],
    ['x'.repeat(1_000), undefined],
  ])('%s', (word, meant) => {
    expect(closestMatch(word, keys)).toBe(meant);
  });
});
