import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { type Answer, type Asked, type FakeServer, startServer } from './http.ts';

export type CargoRegistry = FakeServer & {
  /** As config.toml names it. */
  readonly index: string;
  /** `name version`, with ` yanked` behind it. */
  readonly crates: () => readonly string[];
};

type Release = { readonly name: string; readonly vers: string; readonly crate: Buffer; yanked: boolean };

/**
 * A registry with a sparse index below `folder`, closed to everybody without a token, that holds `labdemo 0.1.0`, takes
 * what is published, and yanks.
 */
export async function startCargoRegistry(folder = '/index'): Promise<CargoRegistry> {
  const releases: Release[] = [{ name: 'labdemo', vers: '0.1.0', crate: labdemo(), yanked: false }];
  const challenge = 'Cargo login_url="http://registry.invalid/me"';
  const server: FakeServer = await startServer(challenge, (asked) => answer(asked, folder, releases, server.url));
  return Object.assign(server, {
    index: `sparse+${server.url}${folder}/`,
    crates: () => releases.map(({ name, vers, yanked }) => `${name} ${vers}${yanked ? ' yanked' : ''}`),
  });
}

function answer({ method, path, body }: Asked, folder: string, releases: Release[], url: string): Answer {
  if (path === `${folder}/config.json`) {
    return { status: 200, body: JSON.stringify({ dl: `${url}/dl`, api: url, 'auth-required': true }) };
  }
  if (method === 'PUT' && path === '/api/v1/crates/new') return publish(body, releases);
  const [, name, vers, verb] = /^\/api\/v1\/crates\/([^/]+)\/([^/]+)\/(yank|unyank)$/.exec(path) ?? [];
  const named = releases.find((release) => release.name === name && release.vers === vers);
  if (named) {
    named.yanked = verb === 'yank';
    return { status: 200, body: '{"ok":true}' };
  }
  const crate = releases.find((release) => path === `/dl/${release.name}/${release.vers}/download`)?.crate;
  if (crate) return { status: 200, body: crate };
  const lines = releases.filter((release) => path === `${folder}/${placeOf(release.name)}`).map(indexLine);
  return lines.length > 0 ? { status: 200, body: `${lines.join('\n')}\n` } : { status: 404 };
}

/** Length and JSON, length and crate (cargo's registry web API). */
function publish(body: Buffer, releases: Release[]): Answer {
  const length = body.readUInt32LE(0);
  const { name, vers } = JSON.parse(body.toString('utf8', 4, 4 + length)) as { name: string; vers: string };
  releases.push({ name, vers, crate: body.subarray(8 + length), yanked: false });
  const warnings = { invalid_categories: [], invalid_badges: [], other: [] };
  return { status: 200, body: JSON.stringify({ warnings }) };
}

function indexLine({ name, vers, crate, yanked }: Release): string {
  const cksum = createHash('sha256').update(crate).digest('hex');
  return JSON.stringify({ name, vers, deps: [], cksum, features: {}, yanked });
}

/** Where an index keeps a crate: names here have four letters or more. */
function placeOf(name: string): string {
  return `${name.slice(0, 2)}/${name.slice(2, 4)}/${name}`;
}

function labdemo(): Buffer {
  const manifest = '[package]\nname = "labdemo"\nversion = "0.1.0"\nedition = "2021"\n';
  const files = [
    ['labdemo-0.1.0/Cargo.toml', manifest],
    ['labdemo-0.1.0/src/lib.rs', 'pub fn seven() -> u32 { 7 }\n'],
  ] as const;
  return gzipSync(Buffer.concat([...files.map(([name, text]) => tarEntry(name, text)), Buffer.alloc(1_024)]));
}

/** One file of a tar archive (POSIX.1, ustar). */
function tarEntry(name: string, text: string): Buffer {
  const header = Buffer.alloc(512);
  const octal = (value: number, length: number) => `${value.toString(8).padStart(length - 1, '0')}\0`;
  header.write(name, 0);
  header.write(octal(0o644, 8) + octal(0, 8) + octal(0, 8) + octal(text.length, 12) + octal(0, 12), 100);
  header.write('        0', 148);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(sum, 7)} `, 148);
  const body = Buffer.alloc(Math.ceil(text.length / 512) * 512);
  body.write(text);
  return Buffer.concat([header, body]);
}
