import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, statSync, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { isPrivate, type Location, look } from './locate.ts';

/** Milliseconds after which the mark of a client that is starting the agent is a dead client's. */
const STALE_AFTER = 10_000;

/** An attempt to have an agent running, for as long as nobody listens yet. */
export type Start = {
  /** To be called between two attempts to connect. False once it is certain that nothing will come of it. */
  readonly step: () => boolean;
  readonly dispose: () => void;
};

/**
 * Starts the agent that the state folder's `autostart` points to, detached, unless another client is at it. Undefined
 * where that is not allowed (KEYHOLD_NO_AUTOSTART=1), not installed, or not safe. The native client has a lock for
 * this; here it is a file, and what little race that leaves is decided by the agent's own lock.
 */
export function autostart(location: Location, environment: NodeJS.ProcessEnv, uid: number): Start | undefined {
  const { autostart: program, folder } = location;
  if (environment['KEYHOLD_NO_AUTOSTART'] === '1' || program === undefined || !mayRun(program, uid)) return undefined;
  if (look(dirname(folder))?.uid === uid) makeFolder(folder);
  if (!isPrivate(folder, uid)) return undefined;

  const mark = `${folder}/autostart.mark`;
  let child: ChildProcess | undefined;
  let failed = false;
  return {
    step() {
      if (!child && takeMark(mark)) {
        child = run(program);
        child.on('error', () => {
          failed = true;
        });
        child.on('exit', (code) => {
          failed = code !== 0;
        });
        child.unref();
      }
      return !failed;
    },
    dispose() {
      if (child) unlink(mark);
    },
  };
}

/** A link of ours to a program that nobody else can change, in a folder that nobody else can change. */
function mayRun(program: string, uid: number): boolean {
  const state = look(dirname(program));
  if (!state?.isDirectory() || state.uid !== uid || (state.mode & 0o022) !== 0) return false;
  const link = look(program);
  if (!link?.isSymbolicLink() || link.uid !== uid) return false;
  try {
    const target = statSync(program);
    return target.isFile() && (target.uid === uid || target.uid === 0) && (target.mode & 0o022) === 0;
  } catch {
    return false;
  }
}

/** The shell closes what the caller left open and what node would hand on; beyond 9 it has no word for it. */
function run(program: string): ChildProcess {
  const script = 'exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; umask 077; exec "$0"';
  return spawn('/bin/sh', ['-c', script, program], { cwd: '/', detached: true, stdio: 'ignore' });
}

function takeMark(mark: string): boolean {
  const stats = look(mark);
  if (stats && Date.now() - stats.mtimeMs > STALE_AFTER) unlink(mark);
  try {
    closeSync(openSync(mark, 'wx', 0o600));
    return true;
  } catch {
    return false;
  }
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch {
    // It is there, or it will be missed in a moment.
  }
}

function unlink(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Another client was quicker.
  }
}
