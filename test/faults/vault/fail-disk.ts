import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { temporaryFolder } from '../../temporary.ts';
import type { Report } from './failing-disk.ts';
import { type Resting, readVault } from './play.ts';
import { programOf } from './programs.ts';

/** What a vault said while its disk failed, and what rests after its process was killed, or ended in peace. */
export type Failed = { readonly report: Report; readonly after: Resting };

/**
 * Makes system calls of a running vault fail, by `strace --inject` (strace(1)), such as `fsync:error=EIO:when=1`.
 * `end`: how the process ends, still with the failing disk.
 */
export async function failDisk(inject: string, end: 'kill' | 'dispose'): Promise<Failed> {
  const folder = temporaryFolder('failing');
  const child = spawn(process.execPath, [programOf('failing-disk.ts'), folder.path], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const gone = once(child, 'close');
  child.stdin.on('error', () => {}); // a killed reader
  try {
    const [ready] = await Promise.race([once(child.stdout, 'data'), gone]);
    if (!String(ready).startsWith('ready')) throw new Error(`cannot start the vault: ${ready}`);
    const calls = inject.slice(0, inject.indexOf(':'));
    const args = ['-f', '-p', String(child.pid), '-e', `trace=${calls}`, '-e', `inject=${inject}`];
    const strace = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    const detached = once(strace, 'close');
    let said = '';
    await new Promise<void>((resolve, reject) => {
      strace.stderr.on('data', (chunk) => {
        said += chunk;
        if (said.includes('attached')) resolve();
      });
      strace.on('close', () => reject(new Error(`cannot attach: ${said}`)));
    });
    child.stdin.write('go\n');
    const [line] = await once(child.stdout, 'data');
    if (end === 'kill') child.kill('SIGKILL');
    else child.stdin.end();
    await gone;
    await detached;
    return { report: JSON.parse(String(line)) as Report, after: await readVault(folder.path) };
  } finally {
    child.kill('SIGKILL');
    await gone;
    folder.remove();
  }
}

/** What is wrong about how a vault bore a failing disk: a change that ended neither done nor undone. */
export function misbehaved({ report, after }: Failed): string[] {
  const wrong: string[] = [];
  const before = new Map<number, string | undefined>([0, 1, 2, 3].map((target) => [target, `kept-${target}-EXAMPLE`]));
  const resting = new Map([...after]);
  for (const { target, wanted, fault } of report.tried) {
    const should = fault === null ? (wanted ?? undefined) : before.get(target);
    const shown = report.shown[target];
    // A removal that could not be wiped off the disk is refused and yet made: what matters is that it is not acknowledged.
    const mayBeGone = wanted === null && fault !== null;
    if (shown !== should && !(mayBeGone && shown === undefined)) {
      wrong.push(`target ${target} shows ${shown?.slice(0, 20)} after ${fault ?? 'ok'}`);
    }
    if (after.get(target) !== shown)
      wrong.push(`target ${target} rests as ${after.get(target)?.slice(0, 20)}, was shown as ${shown?.slice(0, 20)}`);
    resting.delete(target);
    before.delete(target);
  }
  for (const [target, value] of before) if (after.get(target) !== value) wrong.push(`target ${target} was lost`);
  return wrong;
}
