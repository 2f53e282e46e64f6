import { spawn } from 'node:child_process';
import { stat } from 'node:fs/promises';

import { errorLine, systemCode } from '../../base/errors.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** Used if `PAGER` is unset, or `cat`, which would not wait. */
const defaultPager = ['less'];

/**
 * `PAGER` as an argument vector: split at spaces, with quotes and backslashes as in a shell. No shell is involved, so nothing
 * else is special.
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
  return argv.length === 0 || argv[0] === 'cat' ? defaultPager : argv;
}

interface PagerOptions {
  env: Environment;
  /** Sets `LESSSECURE`: less then runs no commands and writes no files. */
  readOnly: boolean;
  signal?: AbortSignal | undefined;
}

/**
 * Shows a file in the pager, which owns the terminal until it exits.
 * @returns an error message, or null
 */
export async function openPager(
  path: string,
  { env, readOnly, signal }: PagerOptions,
): Promise<string | null> {
  try {
    await stat(path);
  } catch (error) {
    return systemCode(error) === 'ENOENT'
      ? `The log ${path} does not exist.`
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
      const why = systemCode(error) === 'ENOENT' ? 'command not found' : errorLine(error);
      resolve(`The pager ${file} could not be started: ${why}. Check the variable PAGER.`);
    });
    child.once('exit', (code, killedBy) => {
      const hasFailed = code !== 0 && killedBy !== 'SIGINT';
      resolve(hasFailed ? `The pager ${file} exited with ${code ?? killedBy ?? 'an error'}.` : null);
    });
  });
}
