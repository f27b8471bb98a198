import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type KeyringSession, startKeyringSession } from '../fakes/keyring-session.ts';
import { question, target, token } from './fixture.ts';
import type { Rig } from './rig.ts';

const run = promisify(execFile);
/** Where Debian puts the helper's source (package git). */
const LIBSECRET_SOURCE = '/usr/share/doc/git/contrib/credential/libsecret/git-credential-libsecret.c';

export type PeerName = 'libsecret' | 'docker' | 'gh';
/** A peer that answers for our target: pbench's words for one get; or what it lacks. */
export type Peer = { readonly words: string } | { readonly missing: string };
export type Peers = AsyncDisposable & { readonly all: ReadonlyMap<PeerName, Peer> };

/** The other programs that git and docker users have, each holding the target, over a keyring of their own. */
export async function startPeers(rig: Rig): Promise<Peers> {
  const all = new Map<PeerName, Peer>();
  const keyring = await startKeyring();
  all.set('libsecret', await libsecret(rig, keyring));
  all.set('docker', await docker(rig, keyring));
  all.set('gh', await gh(rig));
  return {
    all,
    async [Symbol.asyncDispose]() {
      if ('env' in keyring) await keyring[Symbol.asyncDispose]();
    },
  };
}

type Missing = { readonly missing: string };

async function startKeyring(): Promise<KeyringSession | Missing> {
  for (const program of ['dbus-daemon', 'gnome-keyring-daemon']) {
    if (!(await has(program))) return { missing: `needs ${program} (apt-get install dbus gnome-keyring)` };
  }
  return startKeyringSession();
}

async function libsecret(rig: Rig, keyring: KeyringSession | Missing): Promise<Peer> {
  if ('missing' in keyring) return keyring;
  const program = rig.path('git-credential-libsecret');
  try {
    await access(LIBSECRET_SOURCE);
    const { stdout } = await run('pkg-config', ['--cflags', '--libs', 'libsecret-1']);
    await run('cc', ['-O2', '-o', program, LIBSECRET_SOURCE, ...stdout.trim().split(/\s+/)]);
  } catch {
    return {
      missing: "needs the source of git's helper and libsecret (apt-get install git libsecret-1-dev pkg-config)",
    };
  }
  const { protocol, host, username } = target;
  await feed(
    program,
    ['store'],
    `protocol=${protocol}\nhost=${host}\nusername=${username}\npassword=${token}\n`,
    keyring.env,
  );
  return { words: `<${await rig.write('question', question)} ${words(keyring.env)} ${program} get` };
}

async function docker(rig: Rig, keyring: KeyringSession | Missing): Promise<Peer> {
  if ('missing' in keyring) return keyring;
  const program = 'docker-credential-secretservice';
  if (!(await has(program))) return { missing: `needs ${program} (apt-get install golang-docker-credential-helpers)` };
  const server = `${target.protocol}://${target.host}`;
  await feed(
    program,
    ['store'],
    JSON.stringify({ ServerURL: server, Username: target.username, Secret: token }),
    keyring.env,
  );
  return { words: `<${await rig.write('server', server)} ${words(keyring.env)} ${program} get` };
}

async function gh(rig: Rig): Promise<Peer> {
  if (!(await has('gh'))) return { missing: 'needs gh (apt-get install gh)' };
  await mkdir(rig.path('gh'), { mode: 0o700 });
  const { host, username } = target;
  await rig.write(
    'gh/hosts.yml',
    `${host}:\n    user: ${username}\n    oauth_token: ${token}\n    git_protocol: https\n`,
  );
  return {
    words: `<${await rig.write('question', question)} GH_CONFIG_DIR=${rig.path('gh')} gh auth git-credential get`,
  };
}

/** The session's variables, in front of pbench's command. */
function words(env: Readonly<Record<string, string>>): string {
  return Object.entries(env)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}

async function feed(program: string, args: string[], input: string, env: Readonly<Record<string, string>>) {
  const child = spawn(program, args, { env, stdio: ['pipe', 'ignore', 'inherit'] });
  child.stdin!.end(input);
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`cannot give ${program} its credential: it ended with ${code}`);
}

async function has(program: string): Promise<boolean> {
  for (const folder of (process.env['PATH'] ?? '').split(':')) {
    const found = await access(join(folder, program)).then(
      () => true,
      () => false,
    );
    if (found) return true;
  }
  return false;
}
