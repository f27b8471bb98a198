import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type KeyringSession, startKeyringSession } from '../fakes/keyring-session.ts';
import { question, target, token } from './fixture.ts';
import { INDEX } from './questions.ts';
import type { Rig } from './rig.ts';

const run = promisify(execFile);
/** Where Debian puts the helper's source (package git). */
const LIBSECRET_SOURCE = '/usr/share/doc/git/contrib/credential/libsecret/git-credential-libsecret.c';
/** Where Debian puts the program of package python3-keyring. */
const PYTHON_KEYRING = '/usr/bin/keyring';

export type PeerName = 'libsecret' | 'docker' | 'gh' | 'keyring';
/** A peer that answers for our target: pbench's words for one get; or what it lacks. */
export type Peer = { readonly words: string } | { readonly missing: string };
export type Peers = AsyncDisposable & { readonly all: ReadonlyMap<PeerName, Peer> };

/** Those of the other programs that are `wanted`, each holding the target, over a keyring of their own. */
export async function startPeers(rig: Rig, wanted: readonly PeerName[]): Promise<Peers> {
  const all = new Map<PeerName, Peer>();
  const keyring = await startKeyring();
  const make = { libsecret, docker, gh, keyring: pythonKeyring };
  for (const name of wanted) all.set(name, await make[name](rig, keyring));
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

/** pip's index of the target, in Debian's `keyring`: by its whole path, because the first on PATH may be a link to us. */
async function pythonKeyring(_rig: Rig, keyring: KeyringSession | Missing): Promise<Peer> {
  if ('missing' in keyring) return keyring;
  if (!(await isThere(PYTHON_KEYRING))) return { missing: `needs ${PYTHON_KEYRING} (apt-get install python3-keyring)` };
  // Without a newline at its end some versions take the password for an empty one.
  await feed(PYTHON_KEYRING, ['set', INDEX, target.username], `${token}\n`, keyring.env);
  return { words: `${words(keyring.env)} ${PYTHON_KEYRING} get ${INDEX} ${target.username}` };
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
    if (await isThere(join(folder, program))) return true;
  }
  return false;
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
