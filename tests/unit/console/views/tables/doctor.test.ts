import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { DoctorPort, DoctorResult } from '../../../../../src/console/state/doctor-state.js';
import { createFakeWorker } from '../../../../support/fake-worker-handle.js';
import { openConsole, type OpenedConsole } from '../../opened-console.js';

/** A doctor whose results the test provides. */
function fakeDoctor() {
  const asked: (readonly string[] | null)[] = [];
  let tell: ((result: DoctorResult) => void) | null = null;
  let end: (() => void) | null = null;
  const port: DoctorPort = {
    checks: [
      { id: 'host.node', group: 'host', title: 'version of Node' },
      { id: 'slurm.controller', group: 'slurm', title: 'controller' },
      { id: 'rabbitmq.connect', group: 'rabbitmq', title: 'connection' },
    ],
    async run(ids, onResult) {
      asked.push(ids);
      tell = onResult;
      await new Promise<void>((resolve) => {
        end = resolve;
      });
    },
  };
  return { port, asked, tell: (result: DoctorResult) => tell?.(result), end: () => end?.() };
}

const ok: DoctorResult = { id: 'host.node', status: 'ok', evidence: ['24.1.0'], fix: null, ms: 3 };
const failed: DoctorResult = {
  id: 'rabbitmq.connect',
  status: 'fail',
  evidence: ['connection refused', 'at amqp://broker'],
  fix: 'systemctl start rabbitmq-server',
  ms: 1_234,
  docs: 'docs/doctor.md#rabbitmq-connect',
};
const skipped: DoctorResult = {
  id: 'slurm.controller',
  status: 'skip',
  evidence: ['needs slurm.commands'],
  fix: null,
  ms: 0,
};

let doctor: ReturnType<typeof fakeDoctor>;
let console: OpenedConsole;
const wait = async (text: string | RegExp): Promise<void> =>
  vi.waitFor(() => expect(console.text()).toMatch(text));

beforeEach(() => {
  doctor = fakeDoctor();
  console = openConsole(createFakeWorker(), { columns: 120, rows: 24 }, { doctor: async () => doctor.port });
});

async function examined(...results: readonly DoctorResult[]): Promise<void> {
  console.press('7');
  await vi.waitFor(() => expect(doctor.asked).toHaveLength(1));
  results.forEach(doctor.tell);
  doctor.end();
  await vi.waitFor(() => expect(console.state().doctor.endedAt).not.toBeNull());
}

describe('the doctor', () => {
  test('runs when its view is first opened and shows each result at once', async () => {
    expect(doctor.asked).toEqual([]);
    console.press('7');
    await wait(/◐ doctor: 0 of 3 done/u);
    expect(doctor.asked).toEqual([null]);
    expect(console.text()).toMatch(/▸◐ running +host +version of Node/u);
    doctor.tell(failed);
    expect(console.text()).toMatch(/◐ doctor: 1 of 3 done/u);
    expect(console.text()).toMatch(
      /✘ FAIL +rabbitmq +connection .*1\.2s .*connection refused; at amqp:\/\/broker/u,
    );
    doctor.tell(ok);
    doctor.tell(skipped);
    doctor.end();
    await wait(/● doctor 0s ago/u);
    expect(console.text()).toMatch(/✔ 1 ok {3}▲ 0 warnings {3}✘ 1 failed {3}⊘ 1 skipped/u);
    console.press('1', '7');
    expect(doctor.asked).toHaveLength(1);
  });

  test('r runs all, the marked or the opened check again and keeps old results meanwhile', async () => {
    await examined(ok, failed, skipped);
    console.press('r');
    await vi.waitFor(() => expect(doctor.asked).toEqual([null, null]));
    expect(console.text()).toMatch(/◐ running +rabbitmq .*connection refused/u);
    console.press('r');
    expect(console.text()).toContain('The doctor is still running.');
    doctor.end();
    await wait(/● doctor/u);
    console.press('G', 'space', 'r');
    await vi.waitFor(() => expect(doctor.asked.at(-1)).toEqual(['slurm.controller']));
    expect(console.text()).toMatch(/✘ FAIL +rabbitmq/u);
    doctor.end();
    await wait(/● doctor/u);
    console.press('g', 'enter', 'r');
    await vi.waitFor(() => expect(doctor.asked.at(-1)).toEqual(['rabbitmq.connect']));
  });

  test('Enter shows evidence and fix, and y copies the fix', async () => {
    await examined(ok, failed, skipped);
    // the cursor is on the worst check
    expect(console.text()).toMatch(/▸✘ FAIL[^]*✔ ok[^]*⊘ skip/u);
    console.press('enter');
    const text = console.text();
    expect(text).toContain('› doctor › rabbitmq.connect');
    expect(text).toMatch(/✘ FAIL {2}connection/u);
    expect(text).toMatch(/Evidence\n {3}connection refused\n {3}at amqp:\/\/broker/u);
    expect(text).toMatch(/What to do\n {3}systemctl start rabbitmq-server/u);
    expect(text).toContain('docs/doctor.md#rabbitmq-connect');
    console.press('y');
    expect(console.copied).toEqual(['systemctl start rabbitmq-server']);
    console.press('esc');
    expect(console.state().place).toEqual({ view: 'doctor' });
  });

  test('errors only keeps failures and warnings', async () => {
    await examined(ok, failed, skipped);
    console.press('e');
    expect(console.state().tables.doctor.shown.map(({ id }) => id)).toEqual(['rabbitmq.connect']);
  });

  test('reports a doctor that cannot be loaded or is not available', async () => {
    console = openConsole(
      createFakeWorker(),
      { columns: 120, rows: 24 },
      { doctor: async () => Promise.reject(new Error('no such module')) },
    );
    console.press('7');
    await wait('no such module');
    expect(console.text()).toContain('No check has been run yet. Press r to run all of them.');
    console = openConsole(createFakeWorker(), { columns: 120, rows: 24 });
    console.press('7');
    await wait('The doctor is not available in this console.');
  });

  test('is aborted when the console closes', async () => {
    const over = new AbortController();
    let signal: AbortSignal | undefined;
    const port: DoctorPort = {
      ...doctor.port,
      async run(_ids, _onResult, given) {
        signal = given;
      },
    };
    console = openConsole(
      createFakeWorker(),
      { columns: 80, rows: 24 },
      { doctor: async () => port, signal: over.signal },
    );
    console.press('7');
    await vi.waitFor(() => expect(signal?.aborted).toBe(false));
    over.abort();
    expect(signal?.aborted).toBe(true);
  });
});
