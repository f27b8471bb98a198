import type { ChildProcess } from 'node:child_process';
import { readFileSync, readlinkSync, symlinkSync, unlinkSync } from 'node:fs';
import type { Places } from '../../protocol/places.ts';
import { agentProgram, spawnAgent } from '../autostart.ts';

export const NONE = 'no agent answers and none could be started; run: keyhold start';
const ENDED = 'the agent that was started has ended; to see why, run: keyhold start';

/** An attempt to have an agent running, for as long as nobody listens yet. */
export type Start = {
  /** To be called between two attempts to connect. Answers why nothing will come of it, once that is certain. */
  readonly step: () => string | undefined;
  readonly dispose: () => void;
};

/**
 * Starts the agent that the state folder's `autostart` points to, detached, unless another client is at it. Undefined
 * where that is not allowed (KEYHOLD_NO_AUTOSTART=1), not installed, or not safe. The native client has a lock for
 * this; here it is a link that names its client, and the agent's own lock decides what race that leaves.
 */
export function autostart(places: Places, environment: NodeJS.ProcessEnv): Start | undefined {
  const program = environment['KEYHOLD_NO_AUTOSTART'] === '1' ? undefined : agentProgram(places);
  if (program === undefined) return undefined;

  const mark = `${places.state}/autostart.mark`;
  let marked = false;
  let child: ChildProcess | undefined;
  let failure: string | undefined;
  return {
    step() {
      // Between the last look and the mark another client may have done it all: one more look before the start.
      if (!marked) marked = takeMark(mark);
      else if (!child) {
        child = spawnAgent(program, environment);
        child.on('error', () => {
          failure = NONE;
        });
        child.on('exit', (code) => {
          // One that found another agent at work ends with 0.
          if (code !== 0) failure = ENDED;
        });
        child.unref();
      }
      return failure;
    },
    dispose() {
      if (marked) unlink(mark);
    },
  };
}

/**
 * Makes the mark, a symbolic link to `PID.STARTTIME`, in one step. It counts while that process lives, so that neither
 * a client that was killed nor a clock that was set leaves one behind that stops all others.
 */
function takeMark(mark: string): boolean {
  try {
    if (!isMadeByLiving(mark)) unlink(mark);
    symlinkSync(`${process.pid}.${startTimeOf(process.pid)}`, mark);
    return true;
  } catch {
    return false;
  }
}

function isMadeByLiving(mark: string): boolean {
  try {
    const [, pid = '', time = ''] = /^([0-9]+)\.([0-9]+)$/.exec(readlinkSync(mark)) ?? [];
    return startTimeOf(Number(pid)) === time;
  } catch {
    return false;
  }
}

/** When a process started, in ticks since the machine did: field 22 of /proc/PID/stat. Throws where it is gone. */
function startTimeOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]!;
}

function unlink(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Another client was quicker, or there is none.
  }
}
