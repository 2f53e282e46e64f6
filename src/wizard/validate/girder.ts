import { isAbsolute } from 'node:path';
import { isDeployed, type AnswerValue } from '../flow/partial-answers.js';
import type { ValidateContext } from '../questions/question.js';
import { GirderError, isUntrustedCertificate } from '../../girder/api/girder-error.js';
import { doubt, ok, problem, type Verdict } from './validation-result.js';

export async function apiUrl(value: AnswerValue, { draft, doors }: ValidateContext): Promise<Verdict> {
  const text = String(value ?? '');
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || /[\s\p{Cc}]/u.test(text)) {
    return problem('This is not a web address.', 'Write it as http://girder.example:8080/api/v1');
  }
  if (!/\/api\/v1\/?$/.test(url.pathname)) {
    return problem('The address of the API ends in /api/v1.', `Write ${url.origin}/api/v1`);
  }
  if (url.username !== '' || url.search !== '' || url.hash !== '') {
    return problem('The address holds more than host and path.', `Write ${url.origin}${url.pathname}`);
  }
  if (isDeployed(draft)) return ok();
  return seen(text, draft.girder?.caFile ?? null, doors, () =>
    ok('Its certificate comes with the next answer.'),
  );
}

/** The authority's certificate, judged by whether Girder's own is trusted with it. */
export async function authority(value: AnswerValue, { draft, doors }: ValidateContext): Promise<Verdict> {
  const url = draft.girder?.apiUrl;
  if (url === undefined) return ok();
  const caFile = value === null ? null : String(value);
  if (caFile !== null && !isAbsolute(caFile)) {
    return problem('This is not an absolute path.', 'Begin with /.');
  }
  return seen(url, caFile, doors, (error) =>
    caFile === null
      ? doubt(
          'girder-certificate',
          error.message,
          'Name the file with the certificate of its authority, in PEM.',
        )
      : problem(error.message, 'Name the file with the certificate of the authority that signed it, in PEM.'),
  );
}

/** Asks Girder for its version. @param untrusted what is said of a certificate that nobody vouches for */
async function seen(
  url: string,
  caFile: string | null,
  { girder }: ValidateContext['doors'],
  untrusted: (error: GirderError) => Verdict,
): Promise<Verdict> {
  try {
    const { version, major } = await girder.version(url, caFile);
    return { kind: 'ok', note: `Girder ${version}`, learned: { 'girder.major': String(major) } };
  } catch (thrown) {
    if (thrown instanceof GirderError && isUntrustedCertificate(thrown)) return untrusted(thrown);
    if (thrown instanceof GirderError && thrown.transient) {
      return doubt(
        `girder:${new URL(url).origin}`,
        thrown.message,
        thrown.next ?? 'Correct it, or start Girder first.',
      );
    }
    throw thrown;
  }
}

export async function apiKey(value: AnswerValue, { draft, doors }: ValidateContext): Promise<Verdict> {
  const url = draft.girder?.apiUrl;
  const caFile = draft.girder?.caFile ?? null;
  if (value !== null && !/^[A-Za-z0-9]{40}$/.test(String(value))) {
    return problem(
      'An API key of Girder has 40 letters and digits.',
      'Copy it from the API keys of your account in Girder.',
    );
  }
  if (value === null || url === undefined || isDeployed(draft)) return ok();
  try {
    await doors.girder.version(url, caFile);
  } catch {
    // put off with the address
    return ok();
  }
  const user = await doors.girder.login(url, String(value), caFile);
  if (user.isAdmin) return ok(`Logged in as ${user.login}`);
  return doubt(
    `admin:${user.login}`,
    `${user.login} is no administrator, so the settings cannot be looked at.`,
    'Take a key of an administrator, or answer - for none.',
  );
}
