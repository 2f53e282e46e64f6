import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { loadAmqplib } from '../../../../src/celery/amqp/amqplib.js';

const root = join(import.meta.dirname, '../../../..');

test('the installed amqplib reads headers with readFieldTable', () => {
  expect(loadAmqplib().connect).toBeTypeOf('function');
});

test('no other module loads amqplib', () => {
  const loaders = ['src', 'tests'].flatMap((room) =>
    readdirSync(join(root, room), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((file) =>
        /^import (?!type\b)[^;]*from 'amqplib'|import\('amqplib'\)/m.test(readFileSync(file, 'utf8')),
      ),
  );
  expect(loaders.map((file) => relative(root, file))).toEqual([]);
});
