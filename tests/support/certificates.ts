import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Paths of PEM files. */
export interface Certificates {
  /** A private certificate authority. */
  ca: string;
  /** Of a server at 127.0.0.1, signed by the authority. */
  serverCert: string;
  serverKey: string;
  /** Of a client, likewise. */
  clientCert: string;
  clientKey: string;
  /** Certificate and key of the client in one file. */
  client: string;
  /** Of servers that no client may take, signed by the authority but invalid: for another host, and expired. */
  strangerCert: string;
  strangerKey: string;
  expiredCert: string;
  expiredKey: string;
}

/** Creates a private authority and certificates signed by it, with openssl. */
export async function makeCertificates(dir: string): Promise<Certificates> {
  const path = (name: string): string => join(dir, name);
  const openssl = async (line: string): Promise<unknown> => run('openssl', line.split(' '), { cwd: dir });
  const newKey = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes';
  await openssl(`req -x509 ${newKey} -days 2 -subj /CN=Test-authority -keyout ca.key -out ca.pem`);
  const issue = async (name: string, extensions: string, days = 2): Promise<void> => {
    await writeFile(path(`${name}.ext`), `${extensions}\n`);
    await openssl(`req ${newKey} -subj /CN=${name} -keyout ${name}.key -out ${name}.csr`);
    const by = '-CA ca.pem -CAkey ca.key -CAcreateserial';
    await openssl(`x509 -req -days ${days} -in ${name}.csr -out ${name}.pem ${by} -extfile ${name}.ext`);
  };
  await issue('server', 'subjectAltName=IP:127.0.0.1,DNS:localhost');
  await issue('stranger', 'subjectAltName=DNS:elsewhere.example');
  await issue('expired', 'subjectAltName=IP:127.0.0.1,DNS:localhost', 0);
  await issue('client', 'extendedKeyUsage=clientAuth');
  // OpenSSL 3.6 refuses an end before the start: this one expires in the second in which it was created
  const { validTo } = new X509Certificate(await readFile(path('expired.pem')));
  await delay(Math.max(0, Date.parse(validTo) + 1_000 - Date.now()));
  const parts = await Promise.all(['client.pem', 'client.key'].map(async (name) => readFile(path(name))));
  await writeFile(path('client-all.pem'), Buffer.concat(parts));
  return {
    ca: path('ca.pem'),
    serverCert: path('server.pem'),
    serverKey: path('server.key'),
    clientCert: path('client.pem'),
    clientKey: path('client.key'),
    client: path('client-all.pem'),
    strangerCert: path('stranger.pem'),
    strangerKey: path('stranger.key'),
    expiredCert: path('expired.pem'),
    expiredKey: path('expired.key'),
  };
}
