import { spawnSync } from 'node:child_process';
import { temporaryFolder } from '../../temporary.ts';
import { programOf } from './programs.ts';

/** As weak as Argon2id can be, so that tests are quick. */
export const kdf = { memory: 8, passes: 1, parallelism: 1 };
/** The calls by which a vault changes its folder; `write` is the key file's. */
const CALLS = ['pwrite64', 'fdatasync', 'fsync', 'ftruncate', 'link', 'unlink', 'write'];
/** More kills than any of them is made. */
const MAX = 30;

/** Runs a program that is killed at its nth call of each kind, for every n that it reaches. Answers how many kills. */
export async function killAtEveryCall(
  program: string,
  prepare: (folder: string) => Promise<void>,
  check: (folder: string) => Promise<void>,
): Promise<number> {
  const source = `
    import { openVault } from '../../../daemon/backends/vault/vault.ts';
    import { heapSecret as keep, secretFromText } from '../../../protocol/secret.ts';
    const folder = process.argv[2];
    const kdf = ${JSON.stringify(kdf)};
    ${program}`;
  let kills = 0;
  for (const call of CALLS) {
    for (let when = 1; when <= MAX; when++) {
      const folder = temporaryFolder('killed');
      await prepare(folder.path);
      const inject = ['-e', `trace=${call}`, '-e', `inject=${call}:signal=SIGKILL:when=${when}`];
      const node = [process.execPath, programOf(source), folder.path];
      const { status, signal, stderr } = spawnSync('strace', ['-qq', '-o', '/dev/null', ...inject, ...node], {
        encoding: 'utf8',
        timeout: 20_000,
      });
      const killed = signal === 'SIGKILL';
      if (!killed && status !== 0) throw new Error(`cannot run the vault under strace: ${stderr}`);
      await check(folder.path);
      folder.remove();
      if (!killed) break;
      kills++;
    }
  }
  return kills;
}
