import { X509Certificate } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { coerceError, DsaSlurmError, systemCode } from '../errors.js';

/** A bundle of all public CAs has about 200 KB. */
const maxBytes = 4 * 1024 * 1024;

/**
 * Reads a PEM file of certificates or keys. Its path may come from a message, so the file type and size are checked first, and
 * errors do not quote its content.
 * @throws DsaSlurmError `files`
 */
export async function readPemFile(path: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    throw bad(path, `it cannot be read (${systemCode(error) ?? 'unknown'})`, error);
  });
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw bad(path, 'it is not a regular file');
    if (stats.size > maxBytes) throw bad(path, 'it is too large');
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

/** TLS certificates and keys, in PEM. */
export interface TlsMaterial {
  /** Trusted CAs. */
  ca?: string;
  /** Client certificate and its key. */
  cert?: string;
  key?: string;
}

const oneCertificate = /-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----/gs;

const parseCertificate = (pem: string): X509Certificate => new X509Certificate(pem);

/** @throws DsaSlurmError `files` if `material`, which was read from `path`, cannot be used */
export function checkTlsMaterial(path: string, material: TlsMaterial): void {
  const authorities = material.ca?.match(oneCertificate);
  if (authorities === null) throw bad(path, 'it contains no certificate');
  try {
    // TLS silently ignores a CA certificate that cannot be parsed
    authorities?.forEach((each) => parseCertificate(each));
    createSecureContext(material);
  } catch (error) {
    // OpenSSL's message describes the error and does not quote the file
    throw bad(path, coerceError(error).message.split('\n')[0] ?? '');
  }
}

function bad(path: string, reason: string, cause?: unknown): DsaSlurmError {
  const shown = path.replaceAll(/\p{Cc}/gu, ' ').slice(0, 300);
  return new DsaSlurmError('files', `The certificate file ${shown} cannot be used: ${reason}.`, { cause });
}
