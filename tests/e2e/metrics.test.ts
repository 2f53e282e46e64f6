import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { freePorts } from '../../src/sandbox/tcp-ports.js';
import { runProgram, startProgram, type Environment, type Program } from '../support/program.js';

let root: string;
let env: Environment;
let worker: Program;
let prometheus: ChildProcess;
let api: string;

/** The value of an instant query of the real Prometheus; null if there is none yet. */
async function query(expression: string): Promise<number | null> {
  const response = await fetch(`${api}/query?query=${encodeURIComponent(expression)}`);
  const { data } = (await response.json()) as { data: { result: { value: [number, string] }[] } };
  const value = data.result[0]?.value[1];
  return value === undefined ? null : Number(value);
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'dsa-metrics-'));
  const [ours = 0, theirs = 0] = await freePorts(2);
  env = {
    PATH: process.env['PATH'],
    HOME: root,
    DSA_SLURM_BROKER_URL: 'amqp://guest:guest@127.0.0.1:1/',
    DSA_SLURM_IMAGES: root,
    DSA_SLURM_LOGS: root,
    DSA_SLURM_WORKER_EXECUTOR: 'local',
    DSA_SLURM_METRICS_LISTEN: `127.0.0.1:${ours}`,
  };
  worker = startProgram(['worker'], { env });
  const alerts = new URL('../../templates/metrics/dsa-slurm-alerts.yml', import.meta.url).pathname;
  await writeFile(
    join(root, 'prometheus.yml'),
    JSON.stringify({
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: [alerts],
      scrape_configs: [{ job_name: 'dsa-slurm', static_configs: [{ targets: [`127.0.0.1:${ours}`] }] }],
    }),
  );
  api = `http://127.0.0.1:${theirs}/api/v1`;
  prometheus = spawn(
    'prometheus',
    [
      `--config.file=${root}/prometheus.yml`,
      `--storage.tsdb.path=${root}/data`,
      `--web.listen-address=127.0.0.1:${theirs}`,
    ],
    { stdio: 'ignore' },
  );
  await vi.waitFor(async () => expect(await query('up{job="dsa-slurm"}')).toBe(1), {
    timeout: 90_000,
    interval: 500,
  });
}, 120_000);

afterAll(async () => {
  worker.signal('SIGKILL');
  const ended = once(prometheus, 'close');
  prometheus.kill();
  await ended;
  await rm(root, { recursive: true, force: true });
});

test('a real Prometheus scrapes the worker and evaluates the alert rules', async () => {
  const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  expect(await query(`dsa_slurm_build{version="${version}"}`)).toBe(1);
  expect(await query('sum(dsa_slurm_runs)')).toBe(0);
  expect(await query('dsa_slurm_run_queue_seconds_bucket{le="+Inf"}')).toBe(0);
  expect(await query('dsa_slurm_runs_finished_total{outcome="failed"}')).toBe(0);
  expect(await query('dsa_slurm_resident_memory_bytes')).toBeGreaterThan(10_000_000);
  await vi.waitFor(
    async () => {
      const { data } = (await (await fetch(`${api}/rules`)).json()) as {
        data: { groups: { rules: { health: string; lastError?: string }[] }[] };
      };
      const rules = data.groups.flatMap((group) => group.rules);
      expect(rules.map(({ health, lastError }) => lastError ?? health)).toEqual(rules.map(() => 'ok'));
      expect(rules.length).toBeGreaterThan(5);
    },
    { timeout: 60_000, interval: 500 },
  );
  // RabbitMQ is away
  const state = 'sum(dsa_slurm_broker_state{state=~"connecting|disconnected"})';
  await vi.waitFor(async () => expect(await query(state)).toBe(1), { timeout: 60_000, interval: 500 });
});

test('every metric of the dashboard and of the alert rules is served', async () => {
  const served = await (await fetch(`http://${env['DSA_SLURM_METRICS_LISTEN']}/metrics`)).text();
  const names = new Set([...served.matchAll(/^# TYPE (\w+)/gm)].map(([, name = '']) => name));
  // only with a Slurm, and with one that limits requests
  const others = new Set(['dsa_slurm_slurm_answer_age_seconds', 'dsa_slurm_commands_budget_per_minute']);
  for (const file of ['dsa-slurm-dashboard.json', 'dsa-slurm-alerts.yml']) {
    const text = await readFile(new URL(`../../templates/metrics/${file}`, import.meta.url), 'utf8');
    const used = [...text.matchAll(/\bdsa_slurm_[a-z_]+/g)].map(([name]) =>
      name.replace(/_(?:total|bucket)$/, ''),
    );
    expect(used.length).toBeGreaterThan(5);
    expect(used.filter((name) => !names.has(name) && !others.has(name))).toEqual([]);
  }
});

test('promtool has no complaint about the rules', async () => {
  const rules = new URL('../../templates/metrics/dsa-slurm-alerts.yml', import.meta.url).pathname;
  const { stdout } = await promisify(execFile)('promtool', ['check', 'rules', rules]);
  expect(stdout).toMatch(/SUCCESS: \d+ rules found/);
});

test('dsa-slurm status says that RabbitMQ is away', async () => {
  await vi.waitFor(
    async () => {
      const { code, stdout } = await runProgram(['status'], env);
      expect({ code, stdout }).toEqual({
        code: 2,
        stdout: expect.stringMatching(
          /^CRITICAL: RabbitMQ cannot be reached: .* \| in_flight=0\n$/,
        ) as string,
      });
    },
    { timeout: 60_000, interval: 1_000 },
  );
});
