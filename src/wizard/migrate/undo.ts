import { DsaSlurmError } from '../../base/errors.js';
import { manifestPath } from '../apply/plan-review.js';
import { indented, style } from '../flow/output.js';
import { createPrompter } from '../flow/prompts.js';
import { readRecord, restoreFiles, writeRecord, type RestoredFiles } from './record.js';

export interface UndoOptions {
  env: Readonly<Record<string, string | undefined>>;
  profile: string;
  signal: AbortSignal;
  /** Terminal to ask at; null: do not ask. */
  confirm: { input: NodeJS.ReadableStream; output: NodeJS.WritableStream } | null;
}

/** What was undone; null: the operator declined. */
export type Undone = { files: RestoredFiles } | null;

/**
 * Restores what a migration has changed.
 * @throws DsaSlurmError `unknown` if nothing was migrated, `files`
 */
export async function undoMigration({ env, profile, signal, confirm }: UndoOptions): Promise<Undone> {
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
    for (const { path, backup } of record.files) {
      prompter.print(`  ${backup === null ? 'remove   ' : 'restore  '}${path}`);
    }
    const help = indented(
      'Backups take the place of what was written. Files that were edited since are kept.',
    );
    if ((await prompter.confirm('Go back?', false, help)) !== true) return null;
  }
  const files = await restoreFiles(record, manifestPath(env, profile));
  await writeRecord(env, profile, { ...record, files: [] });
  return { files };
}

/** For a screen. */
export function undoText(undone: Undone): string {
  if (undone === null) return 'Nothing was changed.';
  const { restored, removed, kept } = undone.files;
  return [
    ...restored.map((path) => `${style.good} restored  ${path}`),
    ...removed.map((path) => `${style.good} removed   ${path}`),
    ...kept.map((path) => `${style.careful} kept      ${path}: it was edited since`),
  ].join('\n');
}
