import { style } from '../flow/output.js';
import type { ImportedSite } from '../import/index.js';
import type { Draft } from '../init-answers.js';
import { rowsText } from './render-rows.js';
import { migrationRows } from './rows.js';

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
