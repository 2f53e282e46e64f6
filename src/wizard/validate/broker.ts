import { isAbsolute } from 'node:path';
import { DsaSlurmError } from '../../base/errors.js';
import { isClientCertificateRefused } from '../../celery/amqp/broker-errors.js';
import { readBrokerUrl } from '../../celery/amqp/broker-url.js';
import { isLoopback } from '../../doctor/clients/broker.js';
import { brokerUrlOf } from '../files/addresses.js';
import { hasDeployment, type AnswerValue } from '../flow/partial-answers.js';
import type { ValidateContext } from '../questions/question.js';
import type { Draft } from '../init-answers.js';
import { warning, ok, problem, type ValidationResult } from './validation-result.js';
import { withoutControlCharacters } from './text.js';

type Broker = NonNullable<Draft['broker']>;

/** The broker with defaults for everything that is not answered yet. */
function withDefaults({
  host = 'localhost',
  port,
  vhost = '/',
  user = 'guest',
  password = '',
  tls = false,
}: Broker) {
  return { host, port: port ?? (tls ? 5671 : 5672), vhost, user, password, tls };
}

/**
 * Splits `host`, `host:5671`, `host:5671/vhost`, or an address beginning with amqp:// or amqps:// into answers. Missing parts
 * get their defaults, except user and password, which have their own questions.
 */
export function splitBroker(text: string): Record<string, AnswerValue> {
  const url = /^\w+:\/\//.test(text) ? text : `amqp://${text}`;
  if (!URL.canParse(url)) return { 'broker.host': text };
  const { hostname, port, virtualHost, tls, user, connect } = readBrokerUrl(url);
  return {
    'broker.host': hostname,
    'broker.port': port,
    'broker.vhost': virtualHost,
    'broker.tls': tls ? 'yes' : 'no',
    ...(text.includes('@') ? { 'broker.user': user } : {}),
    ...(text.includes('@') && connect.password ? { 'broker.password': connect.password } : {}),
  };
}

/** The shortest text that {@link splitBroker} splits into this broker, without user and password. */
export function brokerText({ host, port, vhost = '/', tls = false }: Broker): string | undefined {
  if (host === undefined) return undefined;
  const usual = tls ? 5671 : 5672;
  const name = host.includes(':') ? `[${host}]` : host;
  const end = `${port === undefined || port === usual ? '' : `:${port}`}${vhost === '/' ? '' : `/${encodeURIComponent(vhost)}`}`;
  return `${tls ? 'amqps://' : ''}${name}${end}`;
}

/** Checks that something listens there. The login is checked with the password. */
export async function brokerHost(
  value: AnswerValue,
  { draft, probes }: ValidateContext,
): Promise<ValidationResult> {
  const host = String(value ?? '');
  const text = withoutControlCharacters(host);
  if (text.kind !== 'ok') return text;
  if (!/^[\w.:-]{1,253}$/.test(host)) {
    return problem('This is not a host name.', 'Write it like rabbitmq.example or rabbitmq.example:5671.');
  }
  if (isToBeDeployed(draft)) return ok();
  const { port } = withDefaults(draft.broker ?? {});
  if (await probes.listens(host, port)) {
    const { tls } = withDefaults(draft.broker ?? {});
    // no CA certificate needed: skip that question
    const isPublic = tls && (await probes.broker.untrusted(urlOf(draft), null)) === null;
    return isPublic ? { kind: 'ok', derived: { 'broker.caFile': null } } : ok();
  }
  return warning(
    `broker:${host}:${port}`,
    `Nothing listens on ${host}:${port}.`,
    'Correct it, or start RabbitMQ. The doctor can check it later.',
  );
}

/** Checks that RabbitMQ's certificate is trusted with this CA certificate. */
export async function brokerAuthority(
  value: AnswerValue,
  { draft, probes }: ValidateContext,
): Promise<ValidationResult> {
  const caFile = value === null ? null : String(value);
  if (caFile !== null && !isAbsolute(caFile))
    return problem('This is not an absolute path.', 'It must begin with /.');
  const { host, port } = withDefaults(draft.broker ?? {});
  if (isToBeDeployed(draft) || !(await probes.listens(host, port))) return ok();
  const reason = await probes.broker.untrusted(urlOf(draft), caFile);
  if (reason === null) return ok();
  return caFile === null
    ? warning('broker-certificate', reason, 'Give the file with the certificate of its CA, in PEM format.')
    : problem(reason, 'Give the file with the certificate of the CA that signed it, in PEM format.');
}

/** Logs in to RabbitMQ with the answers so far. */
export async function brokerLogin(
  value: AnswerValue,
  { draft, probes }: ValidateContext,
): Promise<ValidationResult> {
  const { host, user, port } = withDefaults(draft.broker ?? {});
  if (isToBeDeployed(draft)) {
    if (user !== 'guest' && value !== 'guest') return ok();
    return warning(
      'guest:new',
      'The user guest has a well-known password.',
      'Use new credentials for a new RabbitMQ.',
      'new-credentials',
    );
  }
  if (!(await probes.listens(host, port))) return ok();
  const { caFile = null } = draft.broker ?? {};
  const checked = await probes.broker.check(urlOf(draft), caFile).catch((thrown: unknown) => {
    if (thrown instanceof DsaSlurmError && isClientCertificateRefused(thrown)) return thrown;
    throw thrown;
  });
  if (checked instanceof DsaSlurmError) {
    const next = 'Continue, and set broker.certFile and broker.keyFile with dsa-slurm config later.';
    return warning(`client-certificate:${host}`, checked.message, next);
  }
  if (user === 'guest' && value === 'guest') {
    const open = isLoopback(host) ? await probes.broker.openAddress(host, port) : host;
    if (open !== null) {
      return warning(
        `guest:${open}`,
        `RabbitMQ accepts guest:guest and is reachable at ${open}: anyone there can run jobs as you.`,
        'Use new credentials, and configure them in RabbitMQ and Girder as well.',
        'new-credentials',
      );
    }
  }
  return ok(`RabbitMQ ${checked.version}`);
}

function urlOf({ broker = {} }: Draft): string {
  return brokerUrlOf(withDefaults(broker));
}

/** Whether the broker is part of the deployment that init writes, so that it is not running yet. */
function isToBeDeployed(draft: Draft): boolean {
  return hasDeployment(draft) && isLoopback(draft.broker?.host ?? 'localhost');
}
