import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { dsaSlurm, type Environment, type Program } from './program.js';

const firstProcess = fileURLToPath(new URL('host.mjs', import.meta.url));

/** Hosts made of namespaces, which share the file system: login nodes of one cluster. */
export interface Hosts {
  /** Starts `bin/dsa-slurm` on a host. `signal` reaches the program itself; `pid` is what this machine calls it. */
  start(
    name: string,
    args: readonly string[],
    options: { env: Environment; copyTo: string },
  ): Promise<Program>;
  close(): Promise<void>;
}

/** Whether this user may create hosts, which need their own UTS, PID and network namespaces. */
export function canMakeHosts(): boolean {
  const { status } = spawnSync('unshare', [...namespaces, 'ip', 'link', 'set', 'lo', 'up']);
  return status === 0;
}

const namespaces = ['--uts', '--pid', '--net', '--fork', '--mount-proc', '--kill-child'];

/** @param places what hosts reach: addresses and ports of services of this machine */
export async function makeHosts(places: readonly { address: string; port: number }[]): Promise<Hosts> {
  // paths of Unix sockets must be short
  const directory = await mkdtemp(join(tmpdir(), 'dsa-hosts-'));
  const servers: Server[] = [];
  const open = new Set<Socket>();
  for (const { address, port } of places) {
    const server = createServer((near) => {
      const far = connect(port, address);
      for (const end of [near, far]) {
        open.add(end);
        end.on('error', () => undefined);
        end.on('close', () => {
          open.delete(end);
          near.destroy();
          far.destroy();
        });
      }
      near.pipe(far).pipe(near);
    });
    server.listen(join(directory, String(port)));
    await once(server, 'listening');
    servers.push(server);
  }
  const relayed = places.map(({ address, port }) => `${address}:${port}`).join(',');

  return {
    async start(name, args, { env, copyTo }) {
      const host = spawn(
        'unshare',
        [...namespaces, process.execPath, firstProcess, name, directory, relayed, dsaSlurm, ...args],
        { env: { ...env }, stdio: ['ignore', 'pipe', 'pipe'] },
      );
      let [stdout, stderr] = ['', ''];
      host.stdout.setEncoding('utf8').on('data', (text: string) => {
        stdout += text;
      });
      host.stderr.setEncoding('utf8').on('data', (text: string) => {
        stderr += text;
        appendFileSync(copyTo, text);
      });
      const ended = once(host, 'close').then(
        ([code, signal]) => (code as number | null) ?? (signal as NodeJS.Signals),
      );
      let isOver = false;
      void ended.then(() => (isOver = true));
      let pid: number | null = null;
      while (pid === null) {
        if (isOver) throw new Error(`host ${name} ended: ${stderr}`);
        await delay(20);
        pid = await programOf(host.pid ?? -1);
      }
      const found = pid;
      return {
        pid: found,
        stdout: () => stdout,
        stderr: () => stderr,
        ended,
        signal(signal) {
          if (!isOver) process.kill(found, signal);
        },
      };
    },
    async close() {
      for (const socket of open) socket.destroy();
      await Promise.all(servers.map(async (server) => new Promise((resolve) => server.close(resolve))));
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** The only child of the only child: unshare, the first process of the host, the program. */
async function programOf(pid: number): Promise<number | null> {
  const first = await onlyChild(pid);
  const program = first === null ? null : await onlyChild(first);
  if (program === null) return null;
  // before it, the host's address and name are set by programs that end at once
  const words = await readFile(`/proc/${program}/cmdline`, 'utf8').catch(() => '');
  return words.includes('/cli/main.js\0') ? program : null;
}

async function onlyChild(pid: number): Promise<number | null> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const [child] = text.split(' ').filter(Boolean);
  return child === undefined ? null : Number(child);
}
