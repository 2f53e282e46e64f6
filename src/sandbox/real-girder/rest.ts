import { DsaSlurmError } from '../../base/errors.js';

/** A document as Girder's API returns it. */
export type GirderDocument = Readonly<Record<string, unknown>> & { _id: string; name: string };

export interface RestRequest {
  /** Go into the query string, whatever the method: Girder reads them there too. */
  params?: Readonly<Record<string, string | number | boolean>>;
  body?: Uint8Array;
}

/** Girder's REST API as one user sees it. */
export interface GirderRest {
  apiUrl: string;
  /** A session token of this user; empty for anonymous access. */
  token: string;
  /**
   * @returns the parsed JSON of the answer, or its text if it is not JSON
   * @throws GirderAnswerError unless it is answered with 2xx
   */
  call<Answer = GirderDocument>(method: string, path: string, request?: RestRequest): Promise<Answer>;
  /** The bytes of a file. */
  download(fileId: string): Promise<Buffer>;
  /** Uploads a file as a new item of a folder. */
  upload(
    folderId: string,
    name: string,
    content: Uint8Array | string,
  ): Promise<{ _id: string; itemId: string }>;
}

/** Girder answered with an error status. */
export class GirderAnswerError extends DsaSlurmError {
  readonly status: number;
  constructor(what: string, status: number, text: string) {
    super('sandbox', `Girder answered ${what} with ${status}: ${text.slice(0, 1_000)}`);
    this.status = status;
  }
}

export function createRest(apiUrl: string, token = ''): GirderRest {
  const request = async (method: string, path: string, { params = {}, body }: RestRequest = {}) => {
    const query = new URLSearchParams(
      Object.entries(params).map(([key, value]): [string, string] => [key, String(value)]),
    );
    const response = await fetch(`${apiUrl}/${path}?${query.toString()}`, {
      method,
      headers: token === '' ? {} : { 'Girder-Token': token },
      ...(body === undefined ? {} : { body: Buffer.from(body) }),
    });
    const content = Buffer.from(await response.arrayBuffer());
    if (!response.ok) throw new GirderAnswerError(`${method} ${path}`, response.status, content.toString());
    return content;
  };
  return {
    apiUrl,
    token,
    async call<Answer>(method: string, path: string, options?: RestRequest): Promise<Answer> {
      const text = (await request(method, path, options)).toString();
      try {
        return JSON.parse(text) as Answer;
      } catch {
        return text as Answer;
      }
    },
    download: (fileId) => request('GET', `file/${fileId}/download`),
    async upload(folderId, name, content) {
      const body = Buffer.from(content);
      const params = { parentType: 'folder', parentId: folderId, name, size: body.length };
      return JSON.parse((await request('POST', 'file', { params, body })).toString()) as {
        _id: string;
        itemId: string;
      };
    },
  };
}

/** The same API after a login with a password. */
export async function login(apiUrl: string, user: string, password: string): Promise<GirderRest> {
  const response = await fetch(`${apiUrl}/user/authentication`, {
    headers: { Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` },
  });
  if (!response.ok) throw new GirderAnswerError('the login', response.status, await response.text());
  const { authToken } = (await response.json()) as { authToken: { token: string } };
  return createRest(apiUrl, authToken.token);
}
