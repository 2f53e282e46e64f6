import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.js';
import { errorLine } from '../../../src/base/errors.js';
import { silentLog } from '../../../src/base/log.js';
import { withBroker } from '../../../src/doctor/clients/broker.js';
import { freePorts } from '../../../src/sandbox/tcp-ports.js';
import { startRabbitmq, type RabbitmqService } from '../../../src/sandbox/services/rabbitmq.js';
import { openSiteProbes } from '../../../src/wizard/detect/open-site-probes.js';
import { makeCertificates, type Certificates } from '../../support/certificates.js';
import { createTrial, until } from './bench.js';

let dir: string;
let files: Certificates;
/** Files of a CA that signed none of the certificates in use. */
let others: Certificates;
const started: RabbitmqService[] = [];
/** A RabbitMQ without and one with required client certificates. */
const urls = { open: '', strict: '' };

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dsa-slurm-amqps-'));
  files = await makeCertificates(dir);
  const elsewhere = await mkdtemp(join(dir, 'others-'));
  others = await makeCertificates(elsewhere);
  for (const kind of ['open', 'strict'] as const) {
    const [port = 0] = await freePorts(1);
    const service = await startRabbitmq({
      dir: join(dir, kind),
      log: silentLog(),
      env: process.env,
      settings: [
        `listeners.ssl.1 = 127.0.0.1:${port}`,
        `ssl_options.cacertfile = ${files.ca}`,
        `ssl_options.certfile = ${files.serverCert}`,
        `ssl_options.keyfile = ${files.serverKey}`,
        `ssl_options.verify = ${kind === 'open' ? 'verify_none' : 'verify_peer'}`,
        `ssl_options.fail_if_no_peer_cert = ${kind === 'strict'}`,
      ],
    });
    started.push(service);
    const url = new URL(service.url);
    url.protocol = 'amqps:';
    url.port = String(port);
    urls[kind] = url.href;
  }
}, 120_000);

afterAll(async () => {
  for (const service of started) await service.stop();
  await rm(dir, { recursive: true, force: true });
});

/** Result of a connection: `open`, or the error and the next step. */
async function ask(url: string, tls: object = {}): Promise<string> {
  const signal = AbortSignal.timeout(20_000);
  return withBroker({ url, signal, clock: systemClock, ...tls }, async () => 'open').catch(errorLine);
}

describe('RabbitMQ with a certificate of a private CA', () => {
  test('is accepted with broker.caFile: the worker consumes tasks', async () => {
    const { broker, statuses } = createTrial({ url: urls.open, files: { caFile: files.ca } });
    await broker.start();
    await until(() => expect(statuses.at(-1)?.state).toBe('consuming'));
    await broker.close();
  });

  test('is refused without broker.caFile, and with the certificate of another CA', async () => {
    expect(await ask(urls.open)).toMatch(/not accepted: .*broker\.caFile/);
    expect(await ask(urls.open, { caFile: others.ca })).toMatch(/not accepted: .*broker\.caFile/);
  });

  test('suggests amqps:// for amqp:// on a TLS port', async () => {
    expect(await ask(urls.open.replace('amqps:', 'amqp:'))).toContain('amqps://');
  });

  test('init can tell whether the public CAs or a file verify it', async () => {
    const { broker } = openSiteProbes({ run: async () => expect.fail('no command is needed') });
    expect(await broker.untrusted(urls.open, null)).toMatch(/not accepted/);
    expect(await broker.untrusted(urls.open, others.ca)).toMatch(/not accepted/);
    expect(await broker.untrusted(urls.open, files.ca)).toBeNull();
    expect(await broker.check(urls.open, files.ca)).toMatchObject({ version: expect.any(String) });
  });
});

describe('RabbitMQ that requires client certificates', () => {
  test('accepts broker.certFile', async () => {
    const own = { certFile: files.clientCert, keyFile: files.clientKey };
    expect(await ask(urls.strict, { caFile: files.ca, ...own })).toBe('open');
  });

  test.each<[string, () => object]>([
    ['none', () => ({})],
    ['one that it does not trust', () => ({ certFile: others.clientCert, keyFile: others.clientKey })],
  ])('reports which settings are missing with %s', async (_, own) => {
    const message = await ask(urls.strict, { caFile: files.ca, ...own() });
    expect(message).toMatch(/requires a client certificate .*broker\.certFile and broker\.keyFile/);
    expect(message).not.toContain('broker.caFile');
  });

  test('makes a worker without a certificate fail with that error', async () => {
    const { broker } = createTrial({ url: urls.strict, files: { caFile: files.ca } });
    await expect(broker.start()).rejects.toThrow(/requires a client certificate/);
  });
});
