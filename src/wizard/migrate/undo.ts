import { DsaSlurmError } from '../../base/errors.js';
import { manifestPath } from '../apply/plan-review.js';
import { indented, style } from '../flow/output.js';
import { createPrompter } from '../flow/prompts.js';
import { notRunning, resumePythonWorkers, type BrokerOptions, type ResumedConsumer } from './drain.js';
import { readRecord, restoreFiles, writeRecord, type RestoredFiles } from './record.js';

export interface UndoOptions {
  /** How to reach the drained workers, with the settings from before the files are restored. */
  broker: BrokerOptions;
  env: Readonly<Record<string, string | undefined>>;
  profile: string;
  signal: AbortSignal;
  /** Terminal to ask at; null: do not ask. */
  confirm: { input: NodeJS.ReadableStream; output: NodeJS.WritableStream } | null;
}

/** What was undone; null: the operator declined. */
export type Undone = { files: RestoredFiles; consumers: ResumedConsumer[] } | null;

/**
 * Lets the drained Python workers take tasks again, and restores the files. A worker that does not reply stays in the
 * record, so that undo can be run again.
 * @throws DsaSlurmError `unknown` if nothing was migrated, `broker` if RabbitMQ cannot be reached (then nothing was changed), `files`
 */
export async function undoMigration({ broker, env, profile, signal, confirm }: UndoOptions): Promise<Undone> {
  const record = await readRecord(env, profile);
  if (record === null) {
    throw new DsaSlurmError(
      'unknown',
      `The profile "${profile}" was not migrated: there is nothing to undo.`,
      {
        next: 'Name another profile with --profile, or run: dsa-slurm migrate from <dir>',
      },
    );
  }
  if (confirm !== null) {
    const prompter = createPrompter({ ...confirm, signal });
    for (const { node, queue } of record.drained) {
      prompter.print(`  resume   ${node}, queue ${queue}`);
    }
    for (const { path, backup } of record.files) {
      prompter.print(`  ${backup === null ? 'remove   ' : 'restore  '}${path}`);
    }
    const help = indented(
      'Python workers that were drained take tasks again, and backups take the place of what was written. Files that were edited since are kept.',
    );
    if ((await prompter.confirm('Go back?', false, help)) !== true) return null;
  }
  const consumers = await resumePythonWorkers(record.drained, broker);
  const files = await restoreFiles(record, manifestPath(env, profile));
  const drained = consumers.flatMap(({ node, queue, problem }) =>
    problem === null || problem === notRunning ? [] : [{ node, queue }],
  );
  await writeRecord(env, profile, { ...record, files: [], drained });
  return { files, consumers };
}

/** For a screen. */
export function undoText(undone: Undone): string {
  if (undone === null) return 'Nothing was changed.';
  const { restored, removed, kept } = undone.files;
  return [
    ...undone.consumers.map(({ node, queue, problem }) =>
      problem === null
        ? `${style.good} resumed   ${node}, queue ${queue}; restart it when it is idle, because Celery forgets this when it loses its connection`
        : `${style.careful} not resumed: ${node}, queue ${queue}: ${problem}`,
    ),
    ...restored.map((path) => `${style.good} restored  ${path}`),
    ...removed.map((path) => `${style.good} removed   ${path}`),
    ...kept.map((path) => `${style.careful} kept      ${path}: it was edited since`),
  ].join('\n');
}
