import { X509Certificate } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { coerceError, DsaSlurmError, systemCode } from './errors.js';

/** A bundle of all public authorities has about 200 KB. */
const longest = 4 * 1024 * 1024;

/**
 * Reads a file of certificates or keys. Its name may come from a message, so it is looked at before it is read, and
 * nothing of its content is ever in an error.
 * @throws DsaSlurmError `files`
 */
export async function readPemFile(path: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    throw bad(path, `it cannot be read (${systemCode(error) ?? 'unknown'})`, error);
  });
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw bad(path, 'it is no plain file');
    if (stats.size > longest) throw bad(path, 'it is too large for one');
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

/** What of TLS can be read from files. Texts in PEM. */
export interface TlsMaterial {
  /** Authorities that are trusted. */
  ca?: string;
  /** Our own certificate, and its key. */
  cert?: string;
  key?: string;
}

const oneCertificate = /-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----/gs;

const parseCertificate = (pem: string): X509Certificate => new X509Certificate(pem);

/** @throws DsaSlurmError `files` if `material`, which was read from `path`, cannot be used */
export function checkTlsMaterial(path: string, material: TlsMaterial): void {
  const authorities = material.ca?.match(oneCertificate);
  if (authorities === null) throw bad(path, 'it holds no certificate');
  try {
    // an authority that cannot be read is passed over by TLS without a word
    authorities?.forEach((each) => parseCertificate(each));
    createSecureContext(material);
  } catch (error) {
    // OpenSSL's own words name what is wrong and quote nothing
    throw bad(path, coerceError(error).message.split('\n')[0] ?? '');
  }
}

function bad(path: string, why: string, cause?: unknown): DsaSlurmError {
  const shown = path.replaceAll(/\p{Cc}/gu, ' ').slice(0, 300);
  return new DsaSlurmError('files', `The certificate file ${shown} is of no use: ${why}.`, { cause });
}
