import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Acknowledged } from './play.ts';
import { programOf } from './programs.ts';

/** Runs a writer; `ready` settles when it has opened its file or ended, `ended` when it is gone. */
export function startWriter(
  program: 'writer.ts' | 'lax-writer.ts',
  folder: string,
  seed: number,
  acknowledged: Acknowledged,
): {
  readonly child: ChildProcess;
  readonly ready: Promise<unknown>;
  readonly ended: Promise<unknown>;
  stderr(): string;
} {
  const child = spawn(process.execPath, [programOf(program), folder, String(seed)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr!.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  child.stdout!.setEncoding('utf8').on('data', (chunk: string) => acknowledged.hear(chunk));
  const ended = once(child, 'close');
  const ready = Promise.race([once(child.stdout!, 'data'), ended]);
  return { child, ready, ended, stderr: () => stderr };
}
