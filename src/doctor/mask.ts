import type { Settings } from '../config/index.js';
import type { CheckResult } from './check.js';

/** Every secret that the settings hold, in each form in which it could turn up. */
export function secretsOf({ broker, girder, mongo }: Settings): string[] {
  const found = new Set<string>();
  for (const address of [broker.url, broker.backend, mongo.uri]) {
    const [, user = '', password = ''] = /^[a-z+]+:\/\/([^/:@]*):([^@/]*)@/i.exec(address ?? '') ?? [];
    // guest:guest is no secret, and would black out half of the sentences about it
    if (password === '' || password === user) continue;
    found.add(password);
    try {
      found.add(decodeURIComponent(password));
    } catch {
      // it is no escape: then it stands as it is
    }
  }
  if (girder.apiKey !== null) found.add(girder.apiKey);
  return [...found].filter((secret) => secret !== '').toSorted((a, b) => b.length - a.length);
}

/** A last pass over what checks have said: no secret, nothing that a terminal would take for a command. */
export function cleanResult(result: CheckResult, secrets: readonly string[]): CheckResult {
  const clean = (text: string) =>
    secrets.reduce((shown, secret) => shown.replaceAll(secret, '***'), text.replaceAll(/[^\P{C}\n]/gu, '?'));
  return {
    ...result,
    // evidence is one fact a line
    evidence: result.evidence.map((line) => clean(line).replaceAll('\n', ' ')),
    fix: result.fix === null ? null : clean(result.fix),
  };
}
