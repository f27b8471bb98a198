import { gzipSync } from 'node:zlib';
import { type FakeServer, startServer } from './http.ts';
import { tarOf } from './tar.ts';

/** A registry of modules that asks for a token, and hands out one module: `HOST/acme/demo/null`. */
export type TerraformRegistry = FakeServer & {
  /** A block of the CLI configuration by which terraform finds its services without TLS. */
  readonly block: (host: string) => string;
};

export async function startTerraformRegistry(): Promise<TerraformRegistry> {
  const archive = gzipSync(tarOf({ 'main.tf': 'output "x" {\n  value = 7\n}\n' }));
  // What a module's address answers is fetched without a token.
  const files = await startServer(
    '',
    () => ({ status: 200, body: archive, headers: { 'Content-Type': 'application/gzip' } }),
    {
      open: true,
    },
  );
  const server = await startServer('Bearer realm="lab"', ({ path }) => {
    if (path === '/.well-known/terraform.json') return json({ 'modules.v1': '/v1/modules/' });
    if (path.endsWith('/versions')) {
      return json({ modules: [{ versions: [{ version: '1.0.0' }] }] });
    }
    if (path.endsWith('/download')) {
      return { status: 204, headers: { 'X-Terraform-Get': `${files.url}/pkg.tar.gz?archive=tar.gz` } };
    }
    if (path.startsWith('/api/v2/account')) {
      return json({ data: { id: 'user-1', type: 'users', attributes: { username: 'ada' } } });
    }
    return { status: 404 };
  });
  return {
    ...server,
    block: (host) =>
      `host "${host}" {\n  services = {\n    "modules.v1" = "${server.url}/v1/modules/"\n    "tfe.v2" = "${server.url}/api/v2/"\n    "tfe.v2.1" = "${server.url}/api/v2/"\n    "tfe.v2.2" = "${server.url}/api/v2/"\n  }\n}\n`,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await files[Symbol.asyncDispose]();
    },
  };
}

function json(value: unknown) {
  return { status: 200, body: JSON.stringify(value), headers: { 'Content-Type': 'application/json' } };
}
