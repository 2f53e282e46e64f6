import { expect } from 'vitest';

import { systemClock, type Clock } from '../../src/base/clock.js';
import type { CommandResult, RunCommand } from '../../src/base/command.js';
import { loadSettings, type Settings } from '../../src/config/index.js';
import type { Check, CheckContext, CheckResult, Finding, RunContext } from '../../src/doctor/check.js';
import type { CheckFacts, FactId } from '../../src/doctor/facts.js';
import { runChecks } from '../../src/doctor/run-checks.js';

/** Settings of a profile `lab` with these changes, untouched by this machine's environment. */
export function settingsWith(flags: Record<string, unknown> = {}): Settings {
  return loadSettings({ profile: 'default', configDir: '/nonexistent', env: { HOME: '/home/op' }, flags })
    .settings;
}

/** How a fake command ends. */
export function exited(stdout: string, { exitCode = 0, stderr = '', ms = 5 } = {}): CommandResult {
  return { kind: 'exited', exitCode, stdout, stderr, ms };
}

export const missing: CommandResult = { kind: 'missing', reason: 'ENOENT', ms: 1 };
export const timedOut: CommandResult = { kind: 'timeout', ms: 4_500 };

/**
 * Commands by how their line begins: `{ 'scontrol ping': exited('…') }`; the longest beginning counts. What is not
 * there is not installed.
 */
export function fakeRun(answers: Readonly<Record<string, CommandResult>>): RunCommand & { lines: string[] } {
  const lines: string[] = [];
  const run: RunCommand = async (file, args) => {
    const line = [file, ...args].join(' ');
    lines.push(line);
    const found = Object.keys(answers)
      .filter((beginning) => line.startsWith(beginning))
      .toSorted((a, b) => b.length - a.length)[0];
    return found === undefined ? missing : (answers[found] ?? missing);
  };
  return Object.assign(run, { lines });
}

export function runContext(changes: Partial<RunContext> = {}): RunContext {
  return {
    profile: 'lab',
    settings: settingsWith(),
    configuration: null,
    siteDirectory: null,
    env: {},
    run: fakeRun({}),
    clock: systemClock,
    deep: false,
    ...changes,
  };
}

/** Runs one check alone; `facts` stand for what the checks that it needs have found. */
export async function ask(
  check: Check,
  changes: Partial<RunContext> = {},
  facts: Readonly<Record<string, unknown>> = {},
): Promise<CheckResult> {
  const needs = (check.needs ?? []).map((id): Check => ({
    id,
    group: check.group,
    title: id,
    run: async () => ({ status: 'ok', evidence: [], fact: facts[id] }),
  }));
  const results = await runChecks([check], runContext(changes), { catalog: needs });
  const found = results.find(({ id }) => id === check.id);
  if (found === undefined) throw new Error(`${check.id} gave no result`);
  return found;
}

/** Runs one check without the runner, for its fact. */
export async function factOf<Id extends string>(
  check: Check<Id>,
  changes: Partial<RunContext> = {},
  facts: Readonly<Record<string, unknown>> = {},
): Promise<Awaited<ReturnType<Check<Id>['run']>>['fact']> {
  const context: CheckContext = {
    ...runContext(changes),
    signal: new AbortController().signal,
    needed: <Id extends FactId>(id: Id) => facts[id] as CheckFacts[Id],
  };
  return (await check.run(context)).fact;
}

const settle = async () => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
};

/** A clock that advances only by `pass`; sleepers wake in order. */
export function createManualClock(start = 1_800_000_000_000): Clock & { pass(ms: number): Promise<void> } {
  let time = start;
  let sleepers: { at: number; wake: () => void }[] = [];
  return {
    now: () => time,
    monotonic: () => time,
    async sleep(ms, signal) {
      if (signal?.aborted === true) return;
      await new Promise<void>((resolve) => {
        sleepers.push({ at: time + ms, wake: resolve });
        signal?.addEventListener('abort', () => resolve(), { once: true });
      });
    },
    async pass(ms) {
      const until = time + ms;
      await settle();
      for (;;) {
        const next = sleepers.filter(({ at }) => at <= until).toSorted((a, b) => a.at - b.at)[0];
        if (next === undefined) break;
        sleepers = sleepers.filter((sleeper) => sleeper !== next);
        time = next.at;
        next.wake();
        await settle();
      }
      time = until;
      await settle();
    },
  };
}

/** Checks status, a piece of the evidence, and a piece of the fix; null for none. */
export function expectFinding(
  finding: Finding | { status: string; evidence: readonly string[]; fix: string | null },
  status: string,
  evidence: string,
  fix: string | null,
): void {
  expect(finding.evidence.join('\n')).toContain(evidence);
  expect(finding.status).toBe(status);
  if (fix === null) expect(finding.fix ?? null).toBeNull();
  else expect(finding.fix).toContain(fix);
}
