import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Authority } from '../certificates.ts';

/** As much of a Kubernetes API server as `kubectl get --raw /version` asks for, over TLS. */
export type KubeApi = AsyncDisposable & {
  readonly url: string;
  /** The token that opens it; a client certificate of its authority does, too. */
  token: string;
  /** By what each request came in. */
  readonly heard: ('token' | 'certificate' | 'nobody')[];
};

export async function startKubeApi(authority: Authority): Promise<KubeApi> {
  const api = { token: 'k8s-one-EXAMPLE', heard: [] as KubeApi['heard'] };
  const { cert, key } = authority.issue('IP:127.0.0.1');
  const options = { cert, key, ca: authority.pem, requestCert: true, rejectUnauthorized: false };
  const server = createServer(options, ({ socket, headers }, response) => {
    const isToken = headers.authorization === `Bearer ${api.token}`;
    const by = isToken ? 'token' : (socket as TLSSocket).authorized ? 'certificate' : 'nobody';
    api.heard.push(by);
    const body =
      by === 'nobody'
        ? {
            kind: 'Status',
            apiVersion: 'v1',
            status: 'Failure',
            message: 'Unauthorized',
            reason: 'Unauthorized',
            code: 401,
          }
        : { major: '1', minor: '32', gitVersion: 'v1.32.0' };
    response.writeHead(by === 'nobody' ? 401 : 200, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(api, {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

/** The file of somebody who reaches it by the context `dev`, with a token in plain text. */
export function kubeConfig(url: string, authority: Authority): string {
  const data = Buffer.from(authority.pem).toString('base64');
  return `# mine\napiVersion: v1\nkind: Config\nclusters:\n- cluster:\n    certificate-authority-data: ${data}\n    server: ${url}\n  name: lab\ncontexts:\n- context:\n    cluster: lab\n    user: ada # who else\n  name: dev\ncurrent-context: dev\nusers:\n- name: ada\n  user:\n    token: plain-EXAMPLE\n`;
}
