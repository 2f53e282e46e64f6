import { coerceError, DsaSlurmError, systemCode } from '../../base/errors.js';
import type { BrokerAddress } from './broker-url.js';

/** A broker error as reported to the operator. */
interface BrokerProblem {
  error: DsaSlurmError;
  /** Retrying cannot succeed until someone changes the configuration. */
  permanent: boolean;
}

type Describe = (message: string, next: string) => BrokerProblem;

/** Translates errors of amqplib, the socket and TLS. No message contains the password. */
export function toBrokerError(thrown: unknown, address: BrokerAddress): BrokerProblem {
  if (thrown instanceof DsaSlurmError) return { error: thrown, permanent: true };
  const cause = coerceError(thrown);
  const describe =
    (isPermanent: boolean): Describe =>
    (message, next) => ({
      error: new DsaSlurmError('broker', message, { next, cause }),
      permanent: isPermanent,
    });
  const [permanent, temporary] = [describe(true), describe(false)];
  const where = address.masked;
  const server = `${address.hostname}:${address.port}`;
  const reply = replyOf(cause);

  switch (reply.code) {
    case 403: {
      if (cause.message.includes('Handshake terminated')) {
        return permanent(
          `RabbitMQ at ${where} refused the user "${address.user}" or its password.`,
          address.user === 'guest'
            ? 'Put a user and password into the broker URL; the user "guest" can only log in from the RabbitMQ host itself.'
            : "Correct the user and password in the broker URL (they are the same as Girder's).",
        );
      }
      return permanent(
        `RabbitMQ at ${where} denied the user "${address.user}" permission: ${reply.text}.`,
        `Grant it access: rabbitmqctl set_permissions -p "${address.virtualHost}" "${address.user}" ".*" ".*" ".*"`,
      );
    }
    case 406:
      return preconditionProblem(reply.text, permanent, temporary);
    case 530:
      // a missing or forbidden virtual host is handled below
      if (!/limit/.test(reply.text)) break;
      return temporary(
        `RabbitMQ at ${where} accepts no more connections: ${reply.text}.`,
        `Raise the limit (rabbitmqctl set_vhost_limits, set_user_limits), or close other connections of "${address.user}".`,
      );
    case 541:
      return temporary(`RabbitMQ at ${where} reports an internal error: ${reply.text}.`, 'Check its log.');
    case 320:
      return temporary(
        `RabbitMQ at ${where} closed the connection: ${reply.text}.`,
        'It is probably restarting.',
      );
    default:
      break;
  }

  switch (systemCode(cause)) {
    case 'ECONNREFUSED':
      return temporary(
        `Nothing listens at ${server}.`,
        'Start RabbitMQ, or correct the host and port in the broker URL.',
      );
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return temporary(
        `The broker's host name "${address.hostname}" cannot be resolved.`,
        'Correct the host in the broker URL, or fix DNS on this machine.',
      );
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ETIMEDOUT':
      return temporary(`${server} cannot be reached.`, 'Check the network and the firewall.');
    case 'ECONNRESET':
    case 'EPIPE':
      return connectionLost(address, temporary);
    default:
      break;
  }

  const alert = clientCertificateAlert(cause);
  if (alert !== null) {
    return permanent(
      `RabbitMQ at ${server} requires a client certificate that it trusts (TLS alert: ${alert}).`,
      'Set broker.certFile and broker.keyFile to a certificate signed by its CA and to the key.',
    );
  }
  if (isUntrustedCertificate(cause)) {
    return permanent(
      `The TLS certificate of ${server} is not accepted: ${cause.message}.`,
      'If your site has its own CA, set broker.caFile to its certificate.',
    );
  }
  if (systemCode(cause) === 'EPROTO' || systemCode(cause)?.startsWith('ERR_SSL_')) {
    return permanent(`${server} does not speak TLS.`, 'Use amqp:// with this port, or the TLS port.');
  }
  if (cause.message === 'Unexpected close') return connectionLost(address, temporary);
  if (cause.message === 'Heartbeat timeout') {
    return temporary(
      `${server} has not sent a heartbeat for two minutes.`,
      'Check RabbitMQ and the network.',
    );
  }
  if (cause.message.includes('ETIMEDOUT')) {
    return temporary(`${server} does not answer.`, 'Check that RabbitMQ runs there.');
  }
  // this is all that amqplib reports when the broker closes the connection in the step that opens the virtual host
  if (cause.message.includes('Expected ConnectionOpenOk')) {
    return permanent(
      `RabbitMQ at ${where} has no virtual host "${address.virtualHost}", or the user "${address.user}" has no access to it.`,
      'The virtual host is the path of the broker URL; no path means "/". Use the same one as Girder.',
    );
  }
  if (/exceeds maxFrameSize|Invalid frame|Handshake terminated|during handshake/.test(cause.message)) {
    return permanent(
      `${server} does not speak AMQP 0-9-1: ${cause.message}.`,
      'Correct the port in the broker URL; RabbitMQ usually listens on 5672, or 5671 with TLS.',
    );
  }
  if (cause.message.includes('Socket closed abruptly')) {
    return temporary(
      `${server} closed the connection while it was being opened.`,
      address.tls
        ? 'RabbitMQ may be starting, or another program listens there.'
        : 'If this is its TLS port (usually 5671), use amqps://. Otherwise RabbitMQ may be starting.',
    );
  }
  return temporary(`RabbitMQ at ${where} reported an error: ${reply.text}.`, 'Check the RabbitMQ log.');
}

/** Whether TLS rejected the broker's certificate. */
export function isUntrustedCertificate(error: Error): boolean {
  return (
    clientCertificateAlert(error) === null &&
    /certificate|CERT_|ALTNAME/i.test(`${systemCode(error) ?? ''} ${error.message}`)
  );
}

/** Whether the broker refused the connection because the client certificate is missing or not trusted. */
export function isClientCertificateRefused({ cause }: DsaSlurmError): boolean {
  return cause instanceof Error && clientCertificateAlert(cause) !== null;
}

/**
 * The TLS alert with which the broker rejected the client certificate, as OpenSSL spells it (RFC 8446, section 6.2); null
 * for any other error. TLS 1.2 has no alert for a missing certificate.
 */
function clientCertificateAlert(error: Error): string | null {
  const alert = /\balert ([a-z ]+?)\s*(?::|$)/i.exec(error.message)?.[1] ?? '';
  return /certificate|unknown ca|handshake failure/i.test(alert) ? alert : null;
}

/** A plain connection to a TLS port ends like this too. */
function connectionLost({ tls, port, hostname }: BrokerAddress, temporary: Describe): BrokerProblem {
  return temporary(
    `The connection to ${hostname}:${port} was lost.`,
    tls || port === plainPort
      ? 'RabbitMQ may be restarting.'
      : 'If this is its TLS port (usually 5671), use amqps://. Otherwise RabbitMQ may be restarting.',
  );
}

const plainPort = 5672;

/** RabbitMQ's reply code, and its text without the leading constant. They are parsed from the message, because during the handshake amqplib has no `code`. */
function replyOf(error: Error): { code: number | null; text: string } {
  const reply = /(?<code>\d{3}) \([A-Z-]+\) with message "(?<text>.*)"/s.exec(error.message)?.groups;
  return {
    code: reply === undefined ? null : Number(reply['code']),
    text: (reply?.['text'] ?? error.message).replace(/^[A-Z_]+ - /, '').replace(/\.\s*$/, ''),
  };
}

/** For a queue or exchange that exists with other arguments than Celery's. */
function preconditionProblem(text: string, permanent: Describe, temporary: Describe): BrokerProblem {
  if (/queue limit in vhost/.test(text)) {
    return temporary(
      `RabbitMQ creates no more queues: ${text}.`,
      'Raise the limit of the virtual host: rabbitmqctl set_vhost_limits -p VHOST \'{"max-queues": N}\'',
    );
  }
  const found =
    /inequivalent arg '(?<arg>[^']*)' for (?<kind>\w+) '(?<name>.*)' in vhost '.*': received (?:the value )?(?<ours>.*?) but current is (?:the value )?(?<theirs>.*)$/s.exec(
      text,
    )?.groups;
  if (found === undefined) {
    return temporary(`RabbitMQ closed the channel: ${text}.`, 'Check the RabbitMQ log.');
  }
  const { arg, kind, name, ours, theirs } = found;
  return permanent(
    `The ${kind} "${name}" exists already, but with other arguments than Celery's: "${arg}" is ${theirs} and should be ${ours}.`,
    `Use another queue, or stop its publishers, let its tasks finish, and delete it: rabbitmqctl delete_queue "${name}" (tasks that are still in it are lost).`,
  );
}
