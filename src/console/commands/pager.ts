import { spawn } from 'node:child_process';
import { stat } from 'node:fs/promises';

import { errorLine, systemCode } from '../../base/errors.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** The pager where the operator names none, or one that does not stop. */
const usual = ['less'];

/**
 * `PAGER` as an argument vector: words between blanks, quotes keep blanks together, a backslash takes the next character as
 * it is. No shell reads it, so nothing else in it has a meaning.
 */
export function pagerCommand({ PAGER = '' }: Environment): readonly string[] {
  const words = PAGER.match(/(?:[^\s'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+/gu) ?? [];
  const argv = words.map((word) =>
    word.replaceAll(
      /'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)/gu,
      (_, single?: string, double?: string, one?: string) =>
        single ?? double?.replaceAll(/\\(["\\$`])/gu, '$1') ?? one ?? '',
    ),
  );
  return argv.length === 0 || argv[0] === 'cat' ? usual : argv;
}

export interface PagerOptions {
  env: Environment;
  /** Then less is told to give no shell and to write no file. */
  readOnly: boolean;
  signal?: AbortSignal | undefined;
}

/**
 * Shows a file in the operator's pager, which has the terminal until it ends.
 * @returns why that did not work, in a sentence; null where it did
 */
export async function openPager(
  path: string,
  { env, readOnly, signal }: PagerOptions,
): Promise<string | null> {
  try {
    await stat(path);
  } catch (error) {
    return systemCode(error) === 'ENOENT'
      ? `The log ${path} is not there.`
      : `The log cannot be read: ${errorLine(error)}.`;
  }
  const [file = '', ...args] = pagerCommand(env);
  const child = spawn(file, [...args, path], {
    stdio: 'inherit',
    env: { ...env, ...(readOnly ? { LESSSECURE: '1' } : {}) },
    ...(signal === undefined ? {} : { signal }),
  });
  return new Promise((resolve) => {
    child.once('error', (error) => {
      const why = systemCode(error) === 'ENOENT' ? 'there is no such program' : errorLine(error);
      resolve(`The pager ${file} could not be started: ${why}. The variable PAGER names it.`);
    });
    child.once('exit', (code, killedBy) => {
      const bad = code !== 0 && killedBy !== 'SIGINT';
      resolve(bad ? `The pager ${file} ended with ${code ?? killedBy ?? 'an error'}.` : null);
    });
  });
}
