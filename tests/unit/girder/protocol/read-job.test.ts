import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DsaSlurmError } from '../../../../src/base/errors.js';
import { readGirderJob } from '../../../../src/girder/protocol/read-job.js';
import { readSession } from '../../../../src/girder/api/requests-session.js';
import { fixtureTask } from '../fixtures.js';

const id = 'fafafafafafafafafa000008';
const spec = (changes: Record<string, unknown> = {}) => ({
  method: 'PUT',
  url: `http://girder.example:8080/api/v1/job/${id}`,
  reference: id,
  headers: { 'Girder-Token': 'abc' },
  logPrint: true,
  ...changes,
});

describe('readGirderJob', () => {
  it('reads a captured message', () => {
    expect(readGirderJob(fixtureTask('g3.direct_docker_run.example1_all.json').headers)).toStrictEqual({
      id,
      url: `http://girder.example:8080/api/v1/job/${id}`,
      method: 'PUT',
      headers: { 'Girder-Token': expect.stringMatching(/^FAKETOKEN/) as string },
      session: readSession(undefined),
    });
  });

  it('returns null for a task without a Girder job', () => {
    expect(readGirderJob({})).toBeNull();
    expect(readGirderJob({ jobInfoSpec: null })).toBeNull();
  });

  it('takes the id from the URL without a reference', () => {
    expect(readGirderJob({ jobInfoSpec: spec({ reference: undefined }) })?.id).toBe(id);
  });

  it.each([
    ['g3.plain.session_kwargs.json', false],
    ['g3.show_ok.json', true],
  ])('reads the TLS check from %s', (name, verify) => {
    expect(readGirderJob(fixtureTask(name).headers)?.session.verify).toBe(verify);
  });

  it.each<[string, unknown]>([
    ['no object', 'x'],
    ['a list', []],
    ['no url', spec({ url: undefined })],
    ['another scheme', spec({ url: 'file:///etc/passwd' })],
    ['a url with a password', spec({ url: `http://a:secret@b/job/${id}` })],
    ['a url of two lines', spec({ url: 'http://a/\r\njob' })],
    ['another method', spec({ method: 'DELETE' })],
    ['an id with a path', spec({ reference: '../user' })],
    ['no headers', spec({ headers: null })],
    ['a header of two lines', spec({ headers: { 'Girder-Token': 'secret\r\nHost: evil' } })],
    ['a header name of two lines', spec({ headers: { 'a\r\nb': 'x' } })],
  ])('refuses %s', (_, jobInfoSpec) => {
    expect(() => readGirderJob({ jobInfoSpec })).toThrow(DsaSlurmError);
    expect(() => readGirderJob({ jobInfoSpec })).not.toThrow(/secret/);
  });

  it('throws nothing but DsaSlurmError', () => {
    const headers = fc.record({
      jobInfoSpec: fc.oneof(
        fc.jsonValue(),
        fc.record({ url: fc.jsonValue(), headers: fc.jsonValue() }).map((changes) => spec(changes)),
      ),
      girder_client_session_kwargs: fc.jsonValue(),
    });
    fc.assert(
      fc.property(headers, (value) => {
        try {
          readGirderJob(value);
        } catch (error) {
          expect(error).toBeInstanceOf(DsaSlurmError);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
