import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';

import { createRunner, describeFailure } from '../../base/command.js';
import { coerceError, systemCode } from '../../base/errors.js';
import { oneLine } from '../../base/text/one-line.js';
import { maskText } from '../../base/text/redact.js';
import { programVersion } from '../../base/version.js';
import type { Settings } from '../../config/schema.js';

/** Where notices go. */
export interface NoticeTarget {
  /** The setting that names it. */
  name: string;
  /**
   * Delivers JSON once.
   * @returns why it failed, without secrets; null if it was delivered. Never rejects
   */
  send(json: string, signal: AbortSignal): Promise<string | null>;
}

/** Variables of the worker that the command gets: any other can be a secret. */
const harmlessVariable = /^(?:PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_.*|TZ)$/;

/** The targets of the settings; none if notices are off. @param env the environment of the worker */
export function noticeTargets(
  { command, webhook }: Pick<Settings['notices'], 'command' | 'webhook'>,
  env: Readonly<Record<string, string | undefined>>,
): NoticeTarget[] {
  const harmless = Object.fromEntries(Object.entries(env).filter(([name]) => harmlessVariable.test(name)));
  return [
    ...(command.length === 0 ? [] : [commandTarget(command, harmless)]),
    ...(webhook === null ? [] : [webhookTarget(webhook)]),
  ];
}

/** Time limits of one attempt. */
const commandMs = 30_000;
const webhookMs = 10_000;
/** Maximum bytes that the command may print. */
const maxOutput = 64 * 1024;
const maxReason = 300;

/**
 * Runs a command of the operator.
 * @param argv program and arguments; started without a shell
 * @param env its complete environment, without secrets
 */
export function commandTarget(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  timeoutMs = commandMs,
): NoticeTarget {
  const [file = '', ...args] = argv;
  return {
    name: 'notices.command',
    async send(json, signal) {
      // a process that the command leaves behind can keep its output open: it must not hold up the next command
      const run = createRunner({ env, ownSession: true });
      const done = run(file, args, { input: `${json}\n`, timeoutMs, maxBytes: maxOutput, signal });
      const result = await Promise.race([done, afterLimit(timeoutMs + 5_000)]);
      if (result === null) return 'left a process behind that keeps its output open';
      const why = describeFailure(result);
      return why === '' ? null : maskText(oneLine(why)).slice(0, maxReason);
    },
  };
}

async function afterLimit(ms: number): Promise<null> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(null), ms).unref();
  });
}

/**
 * Sends a POST request. Redirects are not followed. Not with undici, whose requests are counted as those to Girder.
 * @param url never part of a reason: it is a secret
 */
export function webhookTarget(url: string, timeoutMs = webhookMs): NoticeTarget {
  const request = new URL(url).protocol === 'https:' ? requestHttps : requestHttp;
  return {
    name: 'notices.webhook',
    async send(json, signal) {
      const limit = AbortSignal.timeout(timeoutMs);
      return new Promise((resolve) => {
        const sending = request(url, {
          method: 'POST',
          agent: false,
          signal: AbortSignal.any([signal, limit]),
          headers: {
            'Content-Type': 'application/json',
            'Content-Length': Buffer.byteLength(json),
            'User-Agent': `dsa-slurm/${programVersion()}`,
          },
        });
        sending.on('response', (response) => {
          const { statusCode = 0 } = response;
          resolve(statusCode >= 200 && statusCode < 300 ? null : `answered with status ${statusCode}`);
          // its body is not needed, and may be endless
          response.destroy();
        });
        sending.on('error', (error) => {
          const why = limit.aborted ? `did not answer within ${timeoutMs / 1_000} s` : null;
          resolve(why ?? systemCode(error) ?? maskText(coerceError(error).message));
        });
        sending.end(json);
      });
    },
  };
}
