import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { type FakeServer, startServer } from './http.ts';
import { tarOf } from './tar.ts';

/** A registry of npm packages that asks for a token, and has one package: `labdemo` 1.0.0. */
export async function startNpmRegistry(): Promise<FakeServer> {
  const tarball = gzipSync(
    tarOf({
      'package/package.json': '{"name":"labdemo","version":"1.0.0"}',
      'package/index.js': 'module.exports = 7;\n',
    }),
  );
  const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`;
  const shasum = createHash('sha1').update(tarball).digest('hex');
  const server: FakeServer = await startServer('Bearer realm="lab"', ({ path }) => {
    if (path.endsWith('.tgz')) return { status: 200, body: tarball };
    if (path !== '/labdemo') return { status: 404, body: '{}' };
    const dist = { tarball: `${server.url}/labdemo/-/labdemo-1.0.0.tgz`, integrity, shasum };
    const body = {
      name: 'labdemo',
      'dist-tags': { latest: '1.0.0' },
      versions: { '1.0.0': { name: 'labdemo', version: '1.0.0', dist } },
      time: { '1.0.0': '2020-01-01T00:00:00.000Z', modified: '2020-01-01T00:00:00.000Z' },
    };
    return { status: 200, body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } };
  });
  return server;
}
