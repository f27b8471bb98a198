import { readFileSync, readlinkSync } from 'node:fs';

/** What /proc says of a process; undefined where it is gone or not for us to see. */
export type Processes = {
  readonly parentOf: (pid: number) => number | undefined;
  readonly programOf: (pid: number) => string | undefined;
};

/** Longest path of a program that is kept. */
const PROGRAM_MAX = 512;

/** proc(5). Some ten microseconds each: not for every request. */
export const processes: Processes = {
  parentOf(pid) {
    const parent = Number(afterName(statOf(pid))?.split(' ')[1]);
    return Number.isInteger(parent) && parent > 0 ? parent : undefined;
  },
  programOf(pid) {
    try {
      return readlinkSync(`/proc/${pid}/exe`).slice(0, PROGRAM_MAX);
    } catch {
      // A process that hides its executable (prctl(2), PR_SET_DUMPABLE) still tells its name.
      const name = /\((.*)\)/s.exec(statOf(pid) ?? '')?.[1];
      return name === undefined ? undefined : `(${name})`;
    }
  },
};

function statOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
}

/** The fields behind the name, which may hold blanks and brackets itself: state, parent, … */
function afterName(stat: string | undefined): string | undefined {
  return stat?.slice(stat.lastIndexOf(')') + 2);
}

/**
 * The program that asks: for a helper run whoever started the helper, because the peer is always the helper; else the
 * peer. A hint and no proof: a pid may be used again, and a program may start another to ask for it.
 */
export function programBehind(pid: number, isHelper: boolean, { parentOf, programOf }: Processes): string {
  const asking = pid > 0 && isHelper ? parentOf(pid) : pid;
  return (asking !== undefined && asking > 0 && programOf(asking)) || '';
}
