import { createTextMask } from '../base/text/redact.js';
import type { Settings } from '../config/index.js';
import type { CheckResult } from './check.js';

/** The secrets of the settings, as they are written in a URL and decoded. */
export function secretsOf({ broker, girder, mongo, notices }: Settings): string[] {
  const found = new Set<string>();
  for (const address of [broker.url, broker.backend, mongo.uri]) {
    const [, user = '', password = ''] = /^[a-z+]+:\/\/([^/:@]*):(\S*)@/i.exec(address ?? '') ?? [];
    // guest:guest is not a secret
    if (password === '' || password === user) continue;
    found.add(password);
    try {
      found.add(decodeURIComponent(password));
    } catch {
      // not percent-encoded
    }
  }
  if (girder.apiKey !== null) found.add(girder.apiKey);
  // its path is what makes it secret
  const webhook = notices.webhook === null ? null : URL.parse(notices.webhook);
  if (webhook !== null) found.add(`${webhook.pathname}${webhook.search}`);
  return [...found];
}

/** Masks secrets in the evidence and fix of a result, and replaces control characters, which could control the terminal. */
export function maskResult(result: CheckResult, secrets: readonly string[]): CheckResult {
  const maskEvidence = createTextMask(secrets);
  // a fix is run as it is, so a password such as "apptainer" must not be replaced in it
  const maskFix = createTextMask(secrets.filter((secret) => !/^[a-z-]+$/.test(secret)));
  return {
    ...result,
    // one line for each piece of evidence
    evidence: result.evidence.map((line) => maskEvidence(printable(line)).replaceAll('\n', ' ')),
    fix: result.fix === null ? null : maskFix(printable(result.fix)),
  };
}

function printable(text: string): string {
  return text.replaceAll(/[^\P{C}\n]/gu, '?');
}
