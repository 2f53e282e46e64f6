import { indented, style } from '../flow/output.js';
import type { ImportedSite } from '../import/index.js';
import type { Draft } from '../init-answers.js';
import { migrationRows, type MigrationRow } from './rows.js';

/** What a migration would change, before anything is written. Contains no secret. */
export interface MigrationReview {
  text: string;
  json: object;
}

/** Compares the old setup with the new one. */
export function reviewMigration(imported: ImportedSite, draft: Draft): MigrationReview {
  const rows = migrationRows(imported.values, draft, imported.settings);
  const text = [style.heading('What becomes of the old setup'), rowsText(rows)].join('\n');
  return { text, json: { from: imported.found, settings: rows } };
}

/** The rows by file, in two lines each; values without a counterpart are only named. */
export function rowsText(rows: readonly MigrationRow[]): string {
  const files = [...new Set(rows.map(({ file }) => file))];
  return files
    .map((file) => {
      const own = rows.filter((row) => row.file === file);
      const others = own.filter((row) => row.fate === 'unneeded' && row.why === null);
      const lines = own.filter((row) => !others.includes(row)).map(rowText);
      if (others.length > 0) {
        const names = others.slice(0, 20).map(({ name }) => name);
        lines.push(style.dim(indented(`Not used by dsa-slurm: ${names.join(', ')}`)));
      }
      return `${style.heading(file)}\n${lines.join('\n')}`;
    })
    .join('\n');
}

function rowText({ name, before, fate, setting, after, why }: MigrationRow): string {
  const old = `  ${name}  ${before ?? '(unknown)'}`;
  const reason = why === null ? '' : `: ${why}`;
  switch (fate) {
    case 'kept':
      return `${old}\n${indented(`${style.good} ${setting ?? ''}, same value`, 6)}`;
    case 'changed':
      return `${old}\n${indented(`${style.careful} ${setting ?? ''} = ${after ?? ''}${why === null ? '' : ` (${why})`}`, 6)}`;
    case 'open':
      return `${old}\n${indented(`${style.careful} ${setting ?? ''} has no value here${reason}`, 6)}`;
    case 'unneeded':
      return `${old}\n${indented(style.dim(`- not needed${reason}`), 6)}`;
    case 'lost':
      return `${old}\n${indented(`${style.bad} not carried over${reason}`, 6)}`;
  }
}
