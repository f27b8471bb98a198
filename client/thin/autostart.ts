import type { ChildProcess } from 'node:child_process';
import { closeSync, lstatSync, mkdirSync, openSync, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Places } from '../../protocol/places.ts';
import { agentProgram, spawnAgent } from '../autostart.ts';
import { isOwn } from '../locate.ts';

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
 * where that is not allowed (KEYHOLD_NO_AUTOSTART=1), not installed, or not safe. The native client has a lock for this; here
 * it is a file, and what little race that leaves is decided by the agent's own lock.
 */
export function autostart(places: Places, environment: NodeJS.ProcessEnv): Start | undefined {
  const folder = dirname(places.agentSocket);
  const program = environment['KEYHOLD_NO_AUTOSTART'] === '1' ? undefined : agentProgram(places);
  if (program === undefined) return undefined;
  makeFolder(folder);
  if (!isOwn(folder)) return undefined;

  const mark = `${folder}/autostart.mark`;
  let marked = false;
  let child: ChildProcess | undefined;
  let failed = false;
  return {
    step() {
      // Between the last look and the mark another client may have done it all: one more look before the start.
      if (!marked) marked = takeMark(mark);
      else if (!child) {
        child = spawnAgent(program, environment);
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

function takeMark(mark: string): boolean {
  try {
    const since = lstatSync(mark, { throwIfNoEntry: false })?.mtimeMs;
    if (since !== undefined && Date.now() - since > STALE_AFTER) unlinkSync(mark);
    closeSync(openSync(mark, 'wx', 0o600));
    return true;
  } catch {
    return false;
  }
}

/** Where its parent is ours. */
function makeFolder(folder: string): void {
  try {
    if (lstatSync(dirname(folder)).uid === process.getuid!()) mkdirSync(folder, { mode: 0o700 });
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
