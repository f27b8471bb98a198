import { spawn } from 'node:child_process';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { execute } from '../execute.ts';

/** What came in: with which user and password, and what it was answered. */
export type GitRequest = {
  readonly method: string;
  readonly path: string;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly status: number;
};

export type GitServer = AsyncDisposable & {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** Host and port, as git names them to a helper. */
  readonly host: string;
  /** Every request, in the order they came. */
  readonly requests: GitRequest[];
  /** Who may come in; may be changed while it runs. */
  readonly passwords: Map<string, string>;
  /** Answers everybody who comes with a password so, whatever it is; undefined: as the password deserves. */
  refuseWith: 401 | 403 | undefined;
  /** Whether a password is good, in place of `passwords`. */
  accepts: ((password: string) => boolean) | undefined;
  /** Makes a bare repository with one commit; answers its URL. */
  addRepository(name: string): Promise<string>;
};

/**
 * A real git server on loopback: git-http-backend(1) behind basic authentication. `folder` is where its repositories
 * lie and is the caller's to remove.
 */
export async function startGitServer(folder: string): Promise<GitServer> {
  const requests: GitRequest[] = [];
  const passwords = new Map<string, string>();
  const server = createServer((request, response) => {
    const { user, password } = credentialsOf(request);
    const status = judge(user, password);
    const path = request.url ?? '';
    requests.push({ method: request.method ?? '', path, user, password, status });
    if (status === 200) serveGit(folder, user ?? '', request, response);
    else {
      request.resume();
      response.writeHead(status, status === 401 ? { 'WWW-Authenticate': 'Basic realm="fake"' } : {}).end();
    }
  });
  const judge = (user: string | undefined, password: string | undefined): number => {
    if (user === undefined || password === undefined) return 401;
    if (self.accepts && !self.refuseWith) return self.accepts(password) ? 200 : 401;
    return self.refuseWith ?? (passwords.get(user) === password ? 200 : 401);
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const self: GitServer = {
    url: `http://${host}`,
    host,
    requests,
    passwords,
    refuseWith: undefined,
    accepts: undefined,
    async addRepository(name) {
      await makeRepository(folder, name);
      return `http://${host}/${name}`;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return self;
}

/** Runs git without anybody's configuration. */
const quiet = {
  PATH: process.env.PATH,
  HOME: '/nonexistent',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
};

async function makeRepository(folder: string, name: string): Promise<void> {
  const path = join(folder, name);
  const git = (...arguments_: string[]) => execute('git', arguments_, { env: quiet });
  await git('init', '-q', '--bare', '-b', 'main', path);
  await git('-C', path, 'config', 'http.receivepack', 'true');
  const { stdout: tree } = await execute('git', ['-C', path, 'mktree'], { env: quiet, input: '' });
  const who = ['-c', 'user.name=Ada', '-c', 'user.email=ada@git.invalid'];
  const { stdout: commit } = await git('-C', path, ...who, 'commit-tree', '-m', 'first', tree.trim());
  await git('-C', path, 'update-ref', 'refs/heads/main', commit.trim());
}

function credentialsOf(request: IncomingMessage): { user?: string; password?: string } {
  const [scheme, value = ''] = (request.headers.authorization ?? '').split(' ');
  if (scheme?.toLowerCase() !== 'basic') return {};
  const [user = '', ...rest] = Buffer.from(value, 'base64').toString('utf8').split(':');
  return { user, password: rest.join(':') };
}

/** CGI/1.1 (RFC 3875) around git-http-backend. */
function serveGit(root: string, user: string, request: IncomingMessage, response: ServerResponse): void {
  const [path = '', query = ''] = (request.url ?? '').split('?');
  const header = (name: string) => request.headers[name]?.toString() ?? '';
  const child = spawn('git', ['http-backend'], {
    env: {
      ...quiet,
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      // The folder may belong to another user than the server does.
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'safe.directory',
      GIT_CONFIG_VALUE_0: '*',
      PATH_INFO: path,
      QUERY_STRING: query,
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: header('content-type'),
      HTTP_CONTENT_ENCODING: header('content-encoding'),
      HTTP_GIT_PROTOCOL: header('git-protocol'),
      REMOTE_USER: user,
      REMOTE_ADDR: '127.0.0.1',
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.on('error', () => {});
  request.pipe(child.stdin);
  let head = Buffer.alloc(0);
  const takeHead = (bytes: Buffer) => {
    head = Buffer.concat([head, bytes]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    child.stdout.off('data', takeHead);
    const fields = head
      .toString('latin1', 0, end)
      .split('\r\n')
      .map((line) => line.split(/:\s*/, 2) as [string, string]);
    const status = fields.find(([name]) => name.toLowerCase() === 'status')?.[1];
    response.writeHead(
      Number.parseInt(status ?? '200', 10),
      Object.fromEntries(fields.filter(([name]) => name.toLowerCase() !== 'status')),
    );
    response.write(head.subarray(end + 4));
    child.stdout.pipe(response);
  };
  child.stdout.on('data', takeHead);
}
