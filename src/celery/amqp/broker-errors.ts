import { coerceError, DsaSlurmError, systemCode } from '../../base/errors.js';
import type { BrokerAddress } from './broker-url.js';

/** What went wrong with the broker, for the operator. */
export interface BrokerProblem {
  error: DsaSlurmError;
  /** Waiting does not mend it: somebody has to change something. */
  permanent: boolean;
}

/** Translates what amqplib, the socket or TLS throw. The password is in none of the sentences. */
export function toBrokerError(thrown: unknown, address: BrokerAddress): BrokerProblem {
  if (thrown instanceof DsaSlurmError) return { error: thrown, permanent: true };
  const cause = coerceError(thrown);
  const trouble = (lasting: boolean, message: string, next: string): BrokerProblem => ({
    error: new DsaSlurmError('broker', message, { next, cause }),
    permanent: lasting,
  });
  const where = address.masked;
  const server = `${address.hostname}:${address.port}`;
  const reply = replyOf(cause);

  switch (reply.code) {
    case 403: {
      if (cause.message.includes('Handshake terminated')) {
        return trouble(
          true,
          `RabbitMQ at ${where} refused the user "${address.user}" or its password.`,
          address.user === 'guest'
            ? 'Name user and password in the broker URL; the user "guest" may only log in on the machine of RabbitMQ itself.'
            : 'Correct the user and password in the broker URL (the same that Girder uses).',
        );
      }
      return trouble(
        true,
        `RabbitMQ at ${where} does not let the user "${address.user}" do this: ${reply.text}.`,
        `Give it access: rabbitmqctl set_permissions -p "${address.virtualHost}" "${address.user}" ".*" ".*" ".*"`,
      );
    }
    case 406:
      return preconditionTrouble(reply.text, trouble);
    case 530:
      // a virtual host that is missing or closed to the user is told further down
      if (!/limit/.test(reply.text)) break;
      return trouble(
        false,
        `RabbitMQ at ${where} takes no more connections: ${reply.text}.`,
        `Raise the limit (rabbitmqctl set_vhost_limits, set_user_limits), or close other connections of "${address.user}".`,
      );
    case 541:
      return trouble(false, `RabbitMQ at ${where} reports an internal error: ${reply.text}.`, 'See its log.');
    case 320:
      return trouble(
        false,
        `RabbitMQ at ${where} closed the connection: ${reply.text}.`,
        'It is probably restarting.',
      );
    default:
      break;
  }

  switch (systemCode(cause)) {
    case 'ECONNREFUSED':
      return trouble(
        false,
        `Nothing listens at ${server}.`,
        'Start RabbitMQ, or correct host and port in the broker URL.',
      );
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return trouble(
        false,
        `The host name "${address.hostname}" of the broker is unknown here.`,
        'Correct the host in the broker URL, or the name service of this machine.',
      );
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ETIMEDOUT':
      return trouble(false, `${server} cannot be reached.`, 'Look at the network and the firewall between.');
    case 'ECONNRESET':
    case 'EPIPE':
      return brokenOff(address, trouble);
    default:
      break;
  }

  const alert = clientCertificateAlert(cause);
  if (alert !== null) {
    return trouble(
      true,
      `RabbitMQ at ${server} wants a client certificate that it trusts (TLS alert: ${alert}).`,
      'Set broker.certFile and broker.keyFile to a certificate that its authority has signed, and the key of it.',
    );
  }
  if (isUntrustedCertificate(cause)) {
    return trouble(
      true,
      `The TLS certificate of ${server} is not accepted: ${cause.message}.`,
      'If your site has its own authority, set broker.caFile to its certificate.',
    );
  }
  if (systemCode(cause) === 'EPROTO' || systemCode(cause)?.startsWith('ERR_SSL_')) {
    return trouble(true, `${server} does not speak TLS.`, 'Use amqp:// with this port, or the TLS port.');
  }
  if (cause.message === 'Unexpected close') return brokenOff(address, trouble);
  if (cause.message === 'Heartbeat timeout') {
    return trouble(
      false,
      `${server} has not been heard of for two minutes.`,
      'Look at RabbitMQ and the network.',
    );
  }
  if (cause.message.includes('ETIMEDOUT')) {
    return trouble(false, `${server} does not answer.`, 'Is RabbitMQ there, and is it well?');
  }
  // amqplib says no more when the broker closes the connection at the very step that names the virtual host
  if (cause.message.includes('Expected ConnectionOpenOk')) {
    return trouble(
      true,
      `RabbitMQ at ${where} has no virtual host "${address.virtualHost}", or does not let the user "${address.user}" into it.`,
      'The virtual host is what follows the host in the broker URL; "/" and nothing both mean "/". Use the same as Girder.',
    );
  }
  if (/exceeds maxFrameSize|Invalid frame|Handshake terminated|during handshake/.test(cause.message)) {
    return trouble(
      true,
      `Whatever listens at ${server} is no RabbitMQ that can be talked to: ${cause.message}.`,
      'Correct the port in the broker URL; RabbitMQ usually listens at 5672, or 5671 with TLS.',
    );
  }
  if (cause.message.includes('Socket closed abruptly')) {
    return trouble(
      false,
      `${server} closed the connection before it was open.`,
      address.tls
        ? 'RabbitMQ may be starting up, or something else listens there.'
        : 'If this is its TLS port (usually 5671), write amqps://. Otherwise RabbitMQ may be starting up.',
    );
  }
  return trouble(false, `Trouble with RabbitMQ at ${where}: ${reply.text}.`, 'See the log of RabbitMQ.');
}

/** Whether TLS found fault with the certificate of the broker. */
export function isUntrustedCertificate(error: Error): boolean {
  return (
    clientCertificateAlert(error) === null &&
    /certificate|CERT_|ALTNAME/i.test(`${systemCode(error) ?? ''} ${error.message}`)
  );
}

/** Whether the broker refused a connection because of the client certificate, which is missing or not trusted. */
export function isClientCertificateRefused({ cause }: DsaSlurmError): boolean {
  return cause instanceof Error && clientCertificateAlert(cause) !== null;
}

/**
 * What the broker found fault with in our own certificate, in the words of OpenSSL (RFC 8446, section 6.2, names the
 * alerts); null if that is not what is wrong. TLS 1.2 has no alert of its own for a certificate that is missing.
 */
function clientCertificateAlert(error: Error): string | null {
  const words = /\balert ([a-z ]+?)\s*(?::|$)/i.exec(error.message)?.[1] ?? '';
  return /certificate|unknown ca|handshake failure/i.test(words) ? words : null;
}

/** A plain connection to a port of TLS is ended like this, too. */
function brokenOff(
  { tls, port, hostname }: BrokerAddress,
  trouble: (lasting: boolean, message: string, next: string) => BrokerProblem,
): BrokerProblem {
  return trouble(
    false,
    `The connection to ${hostname}:${port} broke off.`,
    tls || port === plainPort
      ? 'RabbitMQ may be restarting.'
      : 'If this is its TLS port (usually 5671), write amqps://. Otherwise RabbitMQ may be restarting.',
  );
}

const plainPort = 5672;

/** RabbitMQ's reply code, and its sentence without the constant in front. During the handshake only the message has them. */
function replyOf(error: Error): { code: number | null; text: string } {
  const written = /(?<code>\d{3}) \([A-Z-]+\) with message "(?<text>.*)"/s.exec(error.message)?.groups;
  return {
    code: written === undefined ? null : Number(written['code']),
    text: (written?.['text'] ?? error.message).replace(/^[A-Z_]+ - /, '').replace(/\.\s*$/, ''),
  };
}

/** A queue or exchange that exists with other arguments than Celery's. */
function preconditionTrouble(
  text: string,
  trouble: (lasting: boolean, message: string, next: string) => BrokerProblem,
): BrokerProblem {
  if (/queue limit in vhost/.test(text)) {
    return trouble(
      false,
      `RabbitMQ makes no more queues: ${text}.`,
      'Raise the limit of the virtual host: rabbitmqctl set_vhost_limits -p VHOST \'{"max-queues": N}\'',
    );
  }
  const found =
    /inequivalent arg '(?<arg>[^']*)' for (?<kind>\w+) '(?<name>.*)' in vhost '.*': received (?:the value )?(?<ours>.*?) but current is (?:the value )?(?<theirs>.*)$/s.exec(
      text,
    )?.groups;
  if (found === undefined) {
    return trouble(false, `RabbitMQ closed the channel: ${text}.`, 'See the log of RabbitMQ.');
  }
  const { arg, kind, name, ours, theirs } = found;
  return trouble(
    true,
    `The ${kind} "${name}" exists already, but not as Celery declares it: "${arg}" is ${theirs} and should be ${ours}.`,
    `Use another queue, or stop its publishers, let its tasks run, and delete it: rabbitmqctl delete_queue "${name}" (tasks that still wait in it are lost).`,
  );
}
