import { readFileSync } from 'node:fs';

export interface FixtureTask {
  name: string;
  headers: Record<string, unknown>;
  body: string;
}

/** A captured task message: `g3.show_ok.json`. */
export function fixtureTask(file: string): FixtureTask {
  const path = new URL(`../../fixtures/contract/tasks/${file}`, import.meta.url);
  const { headers, body } = JSON.parse(readFileSync(path, 'utf8')) as {
    headers: Record<string, unknown>;
    body: string;
  };
  return { name: String(headers['task']), headers, body };
}
