/*
 * The first process of a host that is made of namespaces (tests/support/hosts.ts): its own host name, process ids and
 * network. The services of the test site listen on addresses of the machine, which this host cannot see; it reaches them
 * through Unix sockets instead of a network. Starts a program, and exits with it.
 *
 * Arguments: the name; directory of the sockets; `address:port,…`; then the program and its arguments.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';

const [name, directory, places, program, ...args] = process.argv.slice(2);

function must(command, ...rest) {
  const { status, stderr } = spawnSync(command, rest, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command}: ${stderr}`);
}

must('hostname', name);
must('ip', 'link', 'set', 'lo', 'up');
// with loopback addresses alone getaddrinfo's AI_ADDRCONFIG, which Slurm's commands use, finds nothing
must('ip', 'address', 'add', '10.99.0.1/32', 'dev', 'lo');
for (const place of places.split(',')) {
  const [address, port] = place.split(':');
  if (!address.startsWith('127.')) must('ip', 'address', 'replace', `${address}/32`, 'dev', 'lo');
  const server = createServer((client) => {
    const far = connect(join(directory, port));
    for (const end of [client, far]) {
      end.on('error', () => undefined);
      end.on('close', () => {
        client.destroy();
        far.destroy();
      });
    }
    client.pipe(far).pipe(client);
  });
  server.listen(Number(port), address);
  await once(server, 'listening');
}

const child = spawn(program, args, { stdio: 'inherit' });
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => child.kill(signal));
child.on('close', (code, signal) => process.exit(code ?? (signal === 'SIGKILL' ? 137 : 1)));
