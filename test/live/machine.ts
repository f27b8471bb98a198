import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execute } from '../execute.ts';
import { temporaryFolder } from '../temporary.ts';

/**
 * A mount namespace with a /run/user and an /etc/passwd of its own: logins of users that the real machine never sees. The
 * uid 1000 has subordinate ids there, as rootless podman needs them (subuid(5)).
 */
export type Machine = AsyncDisposable & {
  /** The command that runs a program in it. */
  readonly enter: readonly string[];
  /** Gives a uid a line in the password database. */
  addUser(uid: number, home: string): void;
  /** Makes `/run/user/UID`, as logind does at the first login of a user. Answers its path. */
  login(uid: number): Promise<string>;
  /** Removes it, as logind does after the last logout. */
  logout(uid: number): Promise<void>;
};

const SETUP = `set -e
mount -t tmpfs tmpfs /run/user
cp /etc/passwd "$1"
mount --bind "$1" /etc/passwd
echo '1000:200000:65536' >"$1.ids"
for file in /etc/subuid /etc/subgid; do [ ! -e $file ] || mount --bind "$1.ids" $file; done
echo up
exec cat`;

/** Whether such a machine can be had: only root may mount. */
export function canMakeMachine(): boolean {
  if (process.getuid!() === 0) return true;
  console.warn('skipped: a /run/user of its own needs a mount namespace; run the suite as root');
  return false;
}

/** Makes a machine. Needs root, unshare and nsenter (util-linux). */
export async function aMachine(): Promise<Machine> {
  const { path, remove } = temporaryFolder('machine');
  const passwd = join(path, 'passwd');
  const holder: ChildProcess = spawn('unshare', ['-m', 'sh', '-c', SETUP, 'sh', passwd], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(holder.stdout!, 'data');
  const enter = ['nsenter', `--mount=/proc/${holder.pid}/ns/mnt`, '--'];
  const run = (...words: string[]) => execute(enter[0]!, [...enter.slice(1), ...words], { env: process.env });
  return {
    enter,
    addUser(uid, home) {
      // Written in place: the mount is of this very file.
      const others = readFileSync(passwd, 'utf8')
        .split('\n')
        .filter((line) => line.split(':')[2] !== String(uid));
      writeFileSync(passwd, [`user${uid}:x:${uid}:${uid}::${home}:/bin/sh`, ...others].join('\n'));
    },
    async login(uid) {
      const folder = `/run/user/${uid}`;
      await run('install', '-d', '-m', '700', '-o', String(uid), '-g', String(uid), folder);
      return folder;
    },
    async logout(uid) {
      // What is in a folder goes first, and on a busy machine it is a while until the folder follows.
      await run('sh', '-c', `rm -f /run/user/${uid}/*/*.sock; sleep 0.3; rm -rf /run/user/${uid}`);
    },
    async [Symbol.asyncDispose]() {
      const ended = once(holder, 'exit');
      holder.stdin!.end();
      await ended;
      remove();
    },
  };
}
