import { spawnSync } from 'node:child_process';
import { temporaryFolder } from './temporary.ts';

/** A file system of its own for one test. */
export type Mounted = { readonly path: string; unmount(): void };

/** Mounts (mount(8) with `args`) at a fresh folder. Throws what mount says. */
export function mount(...args: string[]): Mounted {
  const folder = temporaryFolder('mount');
  try {
    run('mount', ...args, folder.path);
  } catch (error) {
    folder.remove();
    throw error;
  }
  return {
    path: folder.path,
    unmount() {
      run('umount', folder.path);
      folder.remove();
    },
  };
}

/** Whether this user may mount here; says why not, once, so that a skipped suite has its reason. */
export function mayMount(...args: string[]): boolean {
  try {
    mount(...args).unmount();
    return true;
  } catch (error) {
    console.warn(`skipped: ${(error as Error).message}; it takes root and a kernel that mounts (run it with sudo)`);
    return false;
  }
}

/** Runs a program to its end. Throws its stderr unless it ends with 0. */
export function run(program: string, ...args: string[]): string {
  const PATH = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, PATH },
  });
  if (status !== 0) throw new Error(`cannot ${program} ${args.join(' ')}: ${error?.message ?? stderr.trim()}`);
  return stdout;
}
