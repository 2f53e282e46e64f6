import { isAbsolute } from 'node:path';
import { DsaSlurmError } from '../../base/errors.js';
import { isClientCertificateRefused } from '../../celery/amqp/broker-errors.js';
import { readBrokerUrl } from '../../celery/amqp/broker-url.js';
import { isLoopback } from '../../doctor/clients/broker.js';
import { brokerUrl } from '../files/addresses.js';
import { isDeployed, type AnswerValue } from '../flow/partial-answers.js';
import type { ValidateContext } from '../questions/question.js';
import type { Draft } from '../init-answers.js';
import { doubt, ok, problem, type Verdict } from './validation-result.js';
import { oneLine } from './text.js';

type Broker = NonNullable<Draft['broker']>;

/** All of it, with what is not answered yet at its default. */
function wholeBroker({
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
 * `host`, `host:5671`, `host:5671/vhost`, or an address beginning with amqp:// or amqps://. It is a whole address: what is
 * not in it is at its default. User and password are left to their own questions where they are not in it.
 */
export function spreadBroker(text: string): Record<string, AnswerValue> {
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

/** The shortest text that {@link spreadBroker} makes the same of, without user and password. */
export function brokerText({ host, port, vhost = '/', tls = false }: Broker): string | undefined {
  if (host === undefined) return undefined;
  const usual = tls ? 5671 : 5672;
  const name = host.includes(':') ? `[${host}]` : host;
  const end = `${port === undefined || port === usual ? '' : `:${port}`}${vhost === '/' ? '' : `/${encodeURIComponent(vhost)}`}`;
  return `${tls ? 'amqps://' : ''}${name}${end}`;
}

/** Whether anything answers there; who may log in is asked with the password. */
export async function brokerHost(value: AnswerValue, { draft, doors }: ValidateContext): Promise<Verdict> {
  const host = String(value ?? '');
  const text = oneLine(host);
  if (text.kind !== 'ok') return text;
  if (!/^[\w.:-]{1,253}$/.test(host)) {
    return problem('This is not a host name.', 'Write it as rabbitmq.example, with :port where needed.');
  }
  if (isComing(draft)) return ok();
  const { port } = wholeBroker(draft.broker ?? {});
  if (await doors.listens(host, port)) {
    const { tls } = wholeBroker(draft.broker ?? {});
    // then there is nothing more to ask about its certificate
    const isPublic = tls && (await doors.broker.untrusted(urlOf(draft), null)) === null;
    return isPublic ? { kind: 'ok', learned: { 'broker.caFile': null } } : ok();
  }
  return doubt(
    `broker:${host}:${port}`,
    `Nothing answers at ${host}:${port}.`,
    'Correct it, or start RabbitMQ first. The doctor can look again later.',
  );
}

/** The authority's certificate, judged by whether RabbitMQ's own is trusted with it. */
export async function brokerAuthority(
  value: AnswerValue,
  { draft, doors }: ValidateContext,
): Promise<Verdict> {
  const caFile = value === null ? null : String(value);
  if (caFile !== null && !isAbsolute(caFile))
    return problem('This is not an absolute path.', 'Begin with /.');
  const { host, port } = wholeBroker(draft.broker ?? {});
  if (isComing(draft) || !(await doors.listens(host, port))) return ok();
  const why = await doors.broker.untrusted(urlOf(draft), caFile);
  if (why === null) return ok();
  return caFile === null
    ? doubt('broker-certificate', why, 'Name the file with the certificate of its authority, in PEM.')
    : problem(why, 'Name the file with the certificate of the authority that signed it, in PEM.');
}

/** Logs in with everything that is known of the broker. */
export async function brokerLogin(value: AnswerValue, { draft, doors }: ValidateContext): Promise<Verdict> {
  const { host, user, port } = wholeBroker(draft.broker ?? {});
  if (isComing(draft)) {
    if (user !== 'guest' && value !== 'guest') return ok();
    return doubt(
      'guest:new',
      'Everybody knows the user guest and its password.',
      'Take new credentials for a RabbitMQ that is new.',
      'new-credentials',
    );
  }
  if (!(await doors.listens(host, port))) return ok();
  const { caFile = null } = draft.broker ?? {};
  const seen = await doors.broker.check(urlOf(draft), caFile).catch((thrown: unknown) => {
    if (thrown instanceof DsaSlurmError && isClientCertificateRefused(thrown)) return thrown;
    throw thrown;
  });
  if (seen instanceof DsaSlurmError) {
    const next = 'Go on here, and set broker.certFile and broker.keyFile with dsa-slurm config afterwards.';
    return doubt(`client-certificate:${host}`, seen.message, next);
  }
  if (user === 'guest' && value === 'guest') {
    const open = isLoopback(host) ? await doors.broker.openAddress(host, port) : host;
    if (open !== null) {
      return doubt(
        `guest:${open}`,
        `RabbitMQ lets guest:guest in and is open at ${open}: anybody there can run jobs as you.`,
        'Take new credentials, and give them to RabbitMQ and Girder as well.',
        'new-credentials',
      );
    }
  }
  return ok(`RabbitMQ ${seen.version}`);
}

function urlOf({ broker = {} }: Draft): string {
  return brokerUrl(wholeBroker(broker));
}

/** A broker that the files of this wizard are going to start. */
function isComing(draft: Draft): boolean {
  return isDeployed(draft) && isLoopback(draft.broker?.host ?? 'localhost');
}
