import { coerceError, DsaSlurmError } from '../base/errors.js';
import { printableJson } from '../base/text/printable-json.js';
import { ConfigError, type ConfigProblem } from '../config/config-error.js';

interface RenderOptions {
  json: boolean;
  /** Include stack traces. */
  debug: boolean;
}

/** Formats an error: as JSON for standard output, or as text for standard error. */
export function renderError(
  thrown: unknown,
  { json, debug }: RenderOptions,
): { stdout: string; stderr: string } {
  const trace = debug ? `${stacks(thrown)}\n` : '';
  if (json) return { stdout: `${printableJson({ error: describe(thrown) })}\n`, stderr: printable(trace) };
  return { stdout: '', stderr: printable(`${errorText(thrown)}\n${trace}`) };
}

function describe(thrown: unknown): {
  code: string;
  message: string;
  next: string | null;
  problems?: unknown;
} {
  if (!(thrown instanceof DsaSlurmError)) {
    return { code: 'internal', message: coerceError(thrown).message, next: debugHint };
  }
  return {
    code: thrown.code,
    message: thrown.message,
    next: thrown.next ?? null,
    ...(thrown instanceof ConfigError ? { problems: thrown.problems } : {}),
  };
}

const debugHint = 'This is a bug in dsa-slurm. Run the command again with --debug for a stack trace.';

function errorText(thrown: unknown): string {
  if (thrown instanceof ConfigError) return problemList(thrown.problems);
  if (thrown instanceof DsaSlurmError) {
    return `dsa-slurm: ${thrown.message}${thrown.next === undefined ? '' : `\n  ${thrown.next}`}`;
  }
  return `dsa-slurm: internal error: ${coerceError(thrown).message}\n  ${debugHint}`;
}

function problemList(problems: readonly ConfigProblem[]): string {
  const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`;
  const items = problems.map(
    ({ message, source, fix }) => `\n  ${message}\n    in:  ${source}\n    fix: ${fix}`,
  );
  return `dsa-slurm: ${count} with the configuration.\n${items.join('\n')}`;
}

function stacks(thrown: unknown): string {
  const error = coerceError(thrown);
  const own = error.stack ?? error.message;
  return error.cause === undefined ? own : `${own}\ncaused by ${stacks(error.cause)}`;
}

/** Replaces control characters: errors can quote text of others, which must not control the terminal. */
function printable(text: string): string {
  return text.replaceAll(/[^\P{Cc}\n\t]/gu, '\uFFFD');
}
