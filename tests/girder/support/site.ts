import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { createRunner, type RunCommand } from '../../../src/base/command.js';
import type { GirderMajor } from '../../../src/sandbox/real-girder/install.js';
import type { TestSite } from '../../support/global-setup.js';
import {
  parseMajor,
  startRealGirder,
  testCache,
  type RealGirderOptions,
} from '../../../src/sandbox/real-girder/service.js';

/** A real Girder, as tests reach it. */
export interface TestGirder {
  major: GirderMajor;
  url: string;
  apiUrl: string;
  mongoUrl: string;
  /** Girder's own output, with its access log. */
  logFile: string;
  tokens: { admin: string; pathologist: string };
  passwords: { admin: string; pathologist: string };
  /** Folder of the pathologist. */
  home: string;
  /** `POST <control>/kill`, `/start` (its body: changes to Girder's environment as JSON), `/register` and `/local`. */
  control: string;
}

declare module 'vitest' {
  export interface ProvidedContext {
    /** One on each site, by the URL of the site's RabbitMQ. */
    girders: Record<string, TestGirder>;
  }
}

type Plugins = Pick<RealGirderOptions, 'plugins' | 'pluginsAlone'>;

/** A real Girder on each site. Tests run in processes of their own and steer it over HTTP. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  return startGirders(project);
}

/** @returns stops them */
export async function startGirders(project: TestProject, more: Plugins = {}): Promise<() => Promise<void>> {
  const { sites } = project.getProvidedContext();
  if (sites.length === 0) throw new Error('the sandbox is set up first');
  const run = createRunner({ env: process.env });
  const started: { girder: TestGirder; stop: () => Promise<void> }[] = [];
  const stop = async (): Promise<void> => {
    await Promise.allSettled(started.map((each) => each.stop()));
  };
  try {
    // one after the other, because the first one may install Girder
    for (const site of sites) started.push(await startGirder(site, run, more));
  } catch (error) {
    await stop();
    throw error;
  }
  project.provide(
    'girders',
    Object.fromEntries(started.map(({ girder }, index) => [sites[index]?.amqpUrl ?? '', girder])),
  );
  return stop;
}

async function startGirder(
  site: TestSite,
  run: RunCommand,
  more: Plugins,
): Promise<{ girder: TestGirder; stop: () => Promise<void> }> {
  const dir = await mkdtemp(join(site.sandboxDir, 'girder-'));
  const girder = await startRealGirder({
    major: parseMajor(process.env['DSA_SLURM_TEST_GIRDER'] ?? '5'),
    dir,
    cache: testCache(process.env, tmpdir()),
    brokerUrl: site.amqpUrl,
    run,
    env: process.env,
    ...more,
    say: (line) => console.log(line),
  });
  process.once('exit', girder.killNow);
  let localWorker: Awaited<ReturnType<typeof girder.startLocalWorker>> | undefined;
  const register = ({
    image,
    folder,
    clis,
  }: Record<'image' | 'folder', string> & { clis: Record<string, string> }) =>
    girder.register(image, folder, clis);
  const acts: Readonly<Record<string, (body: string) => Promise<unknown>>> = {
    '/kill': () => girder.kill(),
    '/start': (body) => girder.start(body === '' ? {} : (JSON.parse(body) as Record<string, string>)),
    '/register': async (body) => {
      await register(JSON.parse(body) as Parameters<typeof register>[0]);
    },
    '/local': async (body) => {
      if (body !== 'stop') localWorker ??= await girder.startLocalWorker();
      else {
        await localWorker?.stop();
        localWorker = undefined;
      }
    },
  };
  const control = createServer((request, response) => {
    void (async () => {
      const body = (await request.toArray()).join('');
      try {
        await acts[request.url ?? '']?.(body);
        response.end();
      } catch (error) {
        response.writeHead(500).end(String(error));
      }
    })();
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => control.once('listening', resolve));
  return {
    girder: {
      major: girder.major,
      url: girder.url,
      apiUrl: girder.apiUrl,
      mongoUrl: girder.mongoUrl,
      logFile: girder.logFile,
      tokens: { admin: girder.admin.token, pathologist: girder.pathologist.token },
      passwords: girder.passwords,
      home: girder.home,
      control: `http://127.0.0.1:${(control.address() as AddressInfo).port}`,
    },
    async stop() {
      control.close();
      await girder.stop();
      process.off('exit', girder.killNow);
    },
  };
}
