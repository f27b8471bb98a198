import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, statSync, unlinkSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { isPrivate, type Location, look } from './locate.ts';

/** Milliseconds after which the mark of a client that is starting the agent is a dead client's. */
const STALE_AFTER = 10_000;

/** open(2)'s flag as it stands in /proc/PID/fdinfo. */
const O_CLOEXEC = 0o2000000;

/** An attempt to have an agent running, for as long as nobody listens yet. */
export type Start = {
  /** To be called between two attempts to connect. False once it is certain that nothing will come of it. */
  readonly step: () => boolean;
  readonly dispose: () => void;
};

/**
 * Starts the agent that the state folder's `autostart` points to, detached, unless another client is at it. Undefined
 * where that is not allowed (KEYHOLD_NO_AUTOSTART=1), not installed, or not safe. Starting it closes what descriptors
 * this process inherited beyond 2: read a secret that comes from one before. The native client has a lock for
 * this; here it is a file, and what little race that leaves is decided by the agent's own lock.
 */
export function autostart(location: Location, environment: NodeJS.ProcessEnv, uid: number): Start | undefined {
  const { autostart: program, folder } = location;
  if (environment['KEYHOLD_NO_AUTOSTART'] === '1' || program === undefined || !mayRun(program, uid)) return undefined;
  if (look(dirname(folder))?.uid === uid) makeFolder(folder);
  if (!isPrivate(folder, uid)) return undefined;

  const mark = `${folder}/autostart.mark`;
  let marked = false;
  let child: ChildProcess | undefined;
  let failed = false;
  return {
    step() {
      // Between the last look and the mark another client may have done it all: one more look before the start.
      if (!marked) marked = takeMark(mark);
      else if (!child) {
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
      if (marked) unlink(mark);
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

function run(program: string): ChildProcess {
  closeInherited();
  const argv0 = basename(program);
  return spawn(program, [], { argv0, cwd: '/', detached: true, stdio: 'ignore' });
}

/**
 * Closes what the caller left open beyond its three standard descriptors, which the agent would hold for ever. Node's
 * own descriptors are closed by exec, which tells them apart.
 */
function closeInherited(): void {
  for (const name of readdirSync('/proc/self/fd')) {
    const fd = Number(name);
    if (fd <= 2) continue;
    try {
      const flags = /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1] ?? '0';
      if ((Number.parseInt(flags, 8) & O_CLOEXEC) === 0) closeSync(fd);
    } catch {
      // It was the one that listed the folder.
    }
  }
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
