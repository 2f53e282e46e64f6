import { isAbsolute } from 'node:path';
import { hasDeployment, type AnswerValue } from '../flow/partial-answers.js';
import type { ValidateContext } from '../questions/question.js';
import { GirderError, isUntrustedCertificate } from '../../girder/api/girder-error.js';
import { warning, ok, problem, type ValidationResult } from './validation-result.js';

/** Adds `/api/v1` to an address without a path. */
export function completeApiUrl(text: string): string {
  const url = URL.parse(text);
  const isOrigin = url !== null && /^https?:$/.test(url.protocol) && url.pathname === '/';
  return isOrigin && url.search === '' && url.hash === '' && url.username === ''
    ? `${url.origin}/api/v1`
    : text;
}

export async function apiUrl(
  value: AnswerValue,
  { draft, probes }: ValidateContext,
): Promise<ValidationResult> {
  const text = String(value ?? '');
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || /[\s\p{Cc}]/u.test(text)) {
    return problem('This is not an http(s) address.', 'Write it like http://girder.example:8080/api/v1');
  }
  if (!/\/api\/v1\/?$/.test(url.pathname)) {
    return problem('The address of the API must end in /api/v1.', `Write ${url.origin}/api/v1`);
  }
  if (url.username !== '' || url.search !== '' || url.hash !== '') {
    return problem('The address must contain only a host and a path.', `Write ${url.origin}${url.pathname}`);
  }
  if (hasDeployment(draft)) return ok();
  return checkGirder(text, draft.girder?.caFile ?? null, probes, () =>
    ok('Its certificate is checked with the next answer.'),
  );
}

/** Checks that Girder's certificate is trusted with this CA certificate. */
export async function girderAuthority(
  value: AnswerValue,
  { draft, probes }: ValidateContext,
): Promise<ValidationResult> {
  const url = draft.girder?.apiUrl;
  if (url === undefined) return ok();
  const caFile = value === null ? null : String(value);
  if (caFile !== null && !isAbsolute(caFile)) {
    return problem('This is not an absolute path.', 'It must begin with /.');
  }
  return checkGirder(url, caFile, probes, (error) =>
    caFile === null
      ? warning(
          'girder-certificate',
          error.message,
          'Give the file with the certificate of its CA, in PEM format.',
        )
      : problem(error.message, 'Give the file with the certificate of the CA that signed it, in PEM format.'),
  );
}

/** Requests Girder's version. @param onUntrusted result for a certificate that is not trusted */
async function checkGirder(
  url: string,
  caFile: string | null,
  { girder }: ValidateContext['probes'],
  onUntrusted: (error: GirderError) => ValidationResult,
): Promise<ValidationResult> {
  try {
    const { version, major } = await girder.version(url, caFile);
    return { kind: 'ok', note: `Girder ${version}`, derived: { 'girder.major': String(major) } };
  } catch (thrown) {
    if (thrown instanceof GirderError && isUntrustedCertificate(thrown)) return onUntrusted(thrown);
    if (thrown instanceof GirderError && thrown.transient) {
      return warning(
        `girder:${new URL(url).origin}`,
        thrown.message,
        thrown.next ?? 'Correct it, or start Girder.',
      );
    }
    throw thrown;
  }
}

export async function apiKey(
  value: AnswerValue,
  { draft, probes }: ValidateContext,
): Promise<ValidationResult> {
  const url = draft.girder?.apiUrl;
  const caFile = draft.girder?.caFile ?? null;
  if (value !== null && !/^[A-Za-z0-9]{40}$/.test(String(value))) {
    return problem(
      'A Girder API key consists of 40 letters and digits.',
      'Copy it from My account, API keys in Girder.',
    );
  }
  if (value === null || url === undefined || hasDeployment(draft)) return ok();
  try {
    await probes.girder.version(url, caFile);
  } catch {
    // the warning about the address was accepted
    return ok();
  }
  const user = await probes.girder.login(url, String(value), caFile);
  if (user.isAdmin) return ok(`Logged in as ${user.login}`);
  return warning(
    `admin:${user.login}`,
    `${user.login} is not an administrator and cannot read Girder’s settings.`,
    'Use a key of an administrator, or answer - for none.',
  );
}
