import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { OciBlobs } from './oci.js';

/** A private registry on loopback that speaks HTTP (OCI distribution specification, pulling only). */
export interface Registry {
  /** `127.0.0.1:41234` */
  host: string;
  /** Offers an image, or another one under a name that it has. */
  put(name: string, tag: string, blobs: OciBlobs): void;
  /** Paths that were asked for. */
  asked: string[];
  /** Lets nothing but manifests out until it is called again with false. */
  hold(held: boolean): void;
  close(): Promise<void>;
}

/** @param login user and password that are asked for; null for none */
export async function startRegistry(
  login: { user: string; password: string } | null = null,
): Promise<Registry> {
  const images = new Map<string, OciBlobs>();
  const asked: string[] = [];
  const held: (() => void)[] = [];
  let isHeld = false;
  const expected =
    login === null ? null : `Basic ${Buffer.from(`${login.user}:${login.password}`).toString('base64')}`;

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? '';
    asked.push(path);
    if (expected !== null && request.headers.authorization !== expected) {
      response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="private"' }).end();
      return;
    }
    if (path === '/v2/') {
      response.writeHead(200).end();
      return;
    }
    const [, name = '', kind = '', reference = ''] =
      /^\/v2\/(.+)\/(manifests|blobs)\/([^/?]+)/.exec(path) ?? [];
    const found = [...images]
      .filter(([key]) => key.startsWith(`${name}:`))
      .flatMap(([key, blobs]) => {
        if (kind === 'manifests') {
          return key === `${name}:${reference}` || blobs.manifest.digest === reference
            ? [blobs.manifest]
            : [];
        }
        return [blobs.config, blobs.layer].filter(({ digest }) => digest === reference);
      })
      .at(-1);
    if (found === undefined) {
      const code = kind === 'manifests' ? 'MANIFEST_UNKNOWN' : 'NAME_UNKNOWN';
      const message = code.toLowerCase().replace('_', ' ');
      response.writeHead(404, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify({ errors: [{ code, message }] }));
      return;
    }
    const { mediaType, content, digest } = found;
    const send = (): void => {
      response.writeHead(200, {
        'Content-Type': mediaType,
        'Content-Length': content.length,
        'Docker-Content-Digest': digest,
      });
      response.end(request.method === 'HEAD' ? undefined : content);
    };
    if (isHeld && kind === 'blobs') held.push(send);
    else send();
  }

  const server = createServer(answer);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    put: (name, tag, blobs) => void images.set(`${name}:${tag}`, blobs),
    asked,
    hold(hold) {
      isHeld = hold;
      if (!hold) for (const send of held.splice(0)) send();
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
