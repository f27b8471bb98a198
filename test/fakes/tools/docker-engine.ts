import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

/** An engine on a Unix socket that builds nothing and shows which registries' tokens a build has sent it. */
export type DockerEngine = AsyncDisposable & {
  /** For `DOCKER_HOST`. */
  readonly host: string;
  /** The registries in `X-Registry-Config` of each build, with the user name that was sent for each. */
  readonly builds: readonly Readonly<Record<string, string>>[];
};

/**
 * As much of Docker's Engine API as `docker build` asks without BuildKit (https://docs.docker.com/reference/api/engine/):
 * `/_ping`, `/version`, `/info` and `/build`, whose header `X-Registry-Config` is base64url of JSON, registry to
 * `{ username, password }`.
 */
export async function startDockerEngine(socket: string): Promise<DockerEngine> {
  const builds: Readonly<Record<string, string>>[] = [];
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const path = (request.url ?? '').replace(/^\/v[0-9.]+/, '').replace(/\?.*/, '');
    const answer = (body: unknown, type = 'application/json') => {
      request.resume().on('end', () => {
        response.writeHead(200, {
          'Content-Type': type,
          'Api-Version': '1.41',
          'Builder-Version': '1',
          Ostype: 'linux',
        });
        response.end(typeof body === 'string' ? body : `${JSON.stringify(body)}\n`);
      });
    };
    if (path === '/_ping') return answer('OK', 'text/plain');
    if (path === '/version')
      return answer({ Version: '20.10.24', ApiVersion: '1.41', MinAPIVersion: '1.12', Os: 'linux' });
    if (path === '/info') return answer({ OSType: 'linux', Architecture: 'x86_64' });
    if (path === '/build') {
      const header = String(request.headers['x-registry-config'] ?? '');
      const sent = JSON.parse(Buffer.from(header, 'base64url').toString() || '{}') as Record<
        string,
        { username?: string }
      >;
      builds.push(Object.fromEntries(Object.entries(sent).map(([key, { username = '' }]) => [key, username])));
      return answer({ stream: 'Successfully built 0123456789ab\n' });
    }
    response.writeHead(404, { 'Content-Type': 'application/json' });
    response.end('{"message":"page not found"}');
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return {
    host: `unix://${socket}`,
    builds,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
