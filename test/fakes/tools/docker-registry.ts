import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { execute } from '../../execute.ts';

/** Debian's docker-registry on loopback, which asks ada for her password, and has one image: `lab/demo:one`. */
export type DockerRegistry = AsyncDisposable & { readonly host: string };

const DEADLINE = 20_000;

export async function startDockerRegistry(password: string): Promise<DockerRegistry> {
  const folder = mkdtempSync(join(tmpdir(), 'keyhold-registry-'));
  const host = `127.0.0.1:${await freePort()}`;
  writeFileSync(join(folder, 'users'), execFileSync('htpasswd', ['-Bbn', 'ada', password], { timeout: 10_000 }));
  const config = {
    version: '0.1',
    log: { level: 'error' },
    storage: { filesystem: { rootdirectory: join(folder, 'data') } },
    http: { addr: host },
    auth: { htpasswd: { realm: 'lab', path: join(folder, 'users') } },
  };
  writeFileSync(join(folder, 'config.yml'), JSON.stringify(config));
  const server: ChildProcess = spawn('docker-registry', ['serve', join(folder, 'config.yml')], { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => server.on('close', () => resolve()));
  const answers = () =>
    fetch(`http://${host}/v2/`).then(
      ({ status }) => status === 401,
      () => false,
    );
  for (const until = Date.now() + DEADLINE; !(await answers()); await sleep(20)) {
    if (Date.now() > until) throw new Error('docker-registry does not answer');
  }
  // A docker that is older than OCI's formats shall read it too.
  const words = ['--insecure-policy', 'copy', '-q', '--format', 'v2s2', '--dest-tls-verify=false'];
  const [from, to] = [`oci:${anImage(join(folder, 'image'))}:one`, `docker://${host}/lab/demo:one`];
  await execute('skopeo', [...words, '--dest-creds', `ada:${password}`, from, to], {
    env: { PATH: process.env['PATH'], HOME: folder },
  });
  return {
    host,
    async [Symbol.asyncDispose]() {
      server.kill('SIGKILL');
      await ended;
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** A folder with an image of one empty layer, as an OCI layout with the tag `one`. */
function anImage(folder: string): string {
  mkdirSync(join(folder, 'blobs/sha256'), { recursive: true });
  const digestOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
  const blob = (bytes: Buffer, mediaType: string) => {
    const digest = digestOf(bytes);
    writeFileSync(join(folder, 'blobs/sha256', digest), bytes);
    return { mediaType, digest: `sha256:${digest}`, size: bytes.length };
  };
  const document = (value: unknown, type: string) => blob(Buffer.from(JSON.stringify(value)), type);
  const oci = (kind: string) => `application/vnd.oci.image.${kind}`;
  // Two empty blocks are an archive without a file.
  const tar = Buffer.alloc(1_024);
  const layer = blob(gzipSync(tar), oci('layer.v1.tar+gzip'));
  const config = document(
    {
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: [`sha256:${digestOf(tar)}`] },
    },
    oci('config.v1+json'),
  );
  const manifest = document(
    { schemaVersion: 2, mediaType: oci('manifest.v1+json'), config, layers: [layer] },
    oci('manifest.v1+json'),
  );
  const annotations = { 'org.opencontainers.image.ref.name': 'one' };
  const index = { schemaVersion: 2, manifests: [{ ...manifest, annotations }] };
  writeFileSync(join(folder, 'index.json'), JSON.stringify(index));
  writeFileSync(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  return folder;
}
