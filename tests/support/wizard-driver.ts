import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import type { Bench } from './bench.js';
import { dsaSlurm, type Environment } from './program.js';
import { frame, keys, startInTerminal, type TerminalProgram } from './terminal.js';

/** Drives `dsa-slurm init` in a terminal. */
export interface WizardDriver {
  terminal: TerminalProgram;
  /**
   * Waits for this question and returns the screen. Accepts warnings about the sandbox's file system and offers to create
   * directories on the way.
   */
  until(question: string, timeoutMs?: number): Promise<string>;
  /** Waits for a question and answers it, by default with Enter. Resolves when the answer is accepted or rejected. */
  answer(question: string, text?: string): Promise<void>;
  /** Replaces the text after a rejected answer. */
  retype(question: string, text: string): Promise<void>;
}

const agreed = ['Use it anyway?', 'Create it?'];

/** Starts init in a terminal so large that nothing wraps or scrolls. */
export function startWizard(args: readonly string[], env: Environment): WizardDriver {
  // on a busy machine Slurm may not answer in time, and then it would be asked who runs the jobs
  const terminal = startInTerminal(dsaSlurm, ['init', '--executor', 'slurm', ...args], {
    columns: 200,
    rows: 400,
    env,
  });
  const count = (sign: string, question: string): number =>
    terminal.screen().filter((line) => line.startsWith(`${sign} `) && line.includes(question)).length;

  const poll = async (what: string, isSo: () => boolean, timeoutMs = 40_000): Promise<void> => {
    const deadline = Date.now() + timeoutMs;
    while (!isSo()) {
      if (Date.now() > deadline) throw new Error(`No ${what}:\n${frame(filled(terminal.screen()))}`);
      await delay(5);
    }
  };
  /** Types into the current question. */
  const reply = async (question: string, text: string): Promise<void> => {
    const before = { taken: count('✓', question), refused: count('✗', '') };
    terminal.press(`${text}${keys.enter}`);
    await poll(
      `end of: ${question}`,
      () => count('✓', question) > before.taken || count('✗', '') > before.refused,
    );
  };
  const driver: WizardDriver = {
    terminal,
    async until(question, timeoutMs) {
      for (;;) {
        const asked = [question, ...agreed];
        const now = (): string | undefined => asked.find((text) => count('?', text) > 0);
        await poll(question, () => now() !== undefined, timeoutMs);
        if (now() === question) return filled(terminal.screen()).join('\n');
        await reply(now() ?? '', 'y');
      }
    },
    async answer(question, text = '') {
      await driver.until(question);
      await reply(question, text);
    },
    retype: (question, text) => reply(question, `\u0015${text}`),
  };
  return driver;
}

function filled(lines: readonly string[]): string[] {
  return lines.filter((line) => line !== '');
}

/** The environment of an operator before any setup, without the variables of the old run.sh. */
export function freshEnvironment(bench: Bench): Environment {
  const { PATH, HOME, SLURM_CONF, XDG_CONFIG_HOME, XDG_STATE_HOME, XDG_CACHE_HOME } = bench.env;
  return { PATH, HOME, SLURM_CONF, XDG_CONFIG_HOME, XDG_STATE_HOME, XDG_CACHE_HOME };
}

/** Removes the variables of the old run.sh, so that a worker uses only its profile. */
export const nothingOld: Environment = {
  TMP: undefined,
  LOGS: undefined,
  SIF_IMAGE_PATH: undefined,
  GIRDER_WORKER_SLURM_SUBMIT_SCRIPT: undefined,
  GIRDER_WORKER_BROKER: undefined,
};

export function profileFile(bench: Bench): string {
  return join(bench.env['XDG_CONFIG_HOME'] ?? '', 'dsa-slurm', 'default.json');
}
