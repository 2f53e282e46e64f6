import { resolve } from 'node:path';
import { DsaSlurmError } from '../../base/errors.js';
import { manifestPath, textOf } from '../apply/plan-review.js';
import type { InitOptions, MigrationSteps } from '../init-context.js';
import { runInit } from '../run-init.js';
import { emptyRecord, readRecord, withFiles, writeRecord } from './record.js';
import { reviewMigration } from './review.js';

export type MigrateOptions = Omit<
  InitOptions,
  'from' | 'migration' | 'printAnswers' | 'generatePasswords'
> & {
  /** Directory of the old setup. */
  from: string;
};

/**
 * Runs init with the answers of the old setup, shows what becomes of each of its values, and records what is written, so that
 * it can be undone. The old files are only read. @returns the exit code, as `runInit`
 * @throws DsaSlurmError as `runInit`; `unknown` if the directory holds no setup of a Python worker
 */
export async function migrate(options: MigrateOptions): Promise<number> {
  const { env, profile } = options;
  const from = resolve(options.from);
  // an unreadable record is reported before anything is asked
  const record = (await readRecord(env, profile)) ?? emptyRecord;
  const manifest = record.files.length > 0 ? record.manifest : await textOf(manifestPath(env, profile));
  const named = profile === 'default' ? '' : ` --profile ${profile}`;
  const migration: MigrationSteps = {
    async review(imported, draft) {
      if (imported.found.length === 0) {
        throw new DsaSlurmError('unknown', imported.notes.at(-1) ?? `Nothing was found in ${from}.`, {
          next: 'Name the directory that contains run.sh, or that of docker-compose.yml.',
        });
      }
      return reviewMigration(imported, draft);
    },
    async onApplied(changes, applied) {
      await writeRecord(env, profile, withFiles({ ...record, from, manifest }, changes, applied));
    },
    next: [
      [`dsa-slurm${named} migrate drain`, 'once this worker runs: stop the Python worker from taking tasks'],
      [`dsa-slurm${named} migrate status`, 'who takes tasks, and what the Python worker still runs'],
      [`dsa-slurm${named} migrate undo`, 'go back'],
    ],
  };
  return runInit({
    ...options,
    from,
    migration,
    printAnswers: false,
    generatePasswords: false,
  });
}
