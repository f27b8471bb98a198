import type { Native } from '../native/native.ts';
import { type Processes, processes, programBehind } from './processes.ts';

/** A process and the program that it runs, as far as that can be told: a hint and no proof, for a pid may be used again. */
export type Asker = { readonly uid: number; readonly pid: number; readonly program: string };

/**
 * The caller on the socket. It is made when a connection comes, does not change, and travels with each request to the audit log.
 * uid and pid are known at once; the rest is looked up when it is read for the first time.
 */
export type Caller = {
  readonly uid: number;
  /** 0 where the peer lives in another pid namespace, or where the addon is missing. */
  readonly pid: number;
  /** The process that is connected; for a helper, with the program that started it, because every peer is the helper then. */
  who(isHelper: boolean): Asker;
};

/** A caller of which the kernel says uid and pid. Tests give `processes` in place of /proc. */
export function aCaller(uid: number, pid: number, own: Processes = processes): Caller {
  return new KnownCaller(uid, pid, own);
}

class KnownCaller implements Caller {
  readonly uid: number;
  readonly pid: number;
  readonly #processes: Processes;
  #peer: Asker | undefined;
  #starter: Asker | undefined;

  constructor(uid: number, pid: number, own: Processes) {
    this.uid = uid;
    this.pid = pid;
    this.#processes = own;
  }

  who(isHelper: boolean): Asker {
    if (isHelper) this.#starter ??= this.#asker(true);
    else this.#peer ??= this.#asker(false);
    return isHelper ? this.#starter! : this.#peer!;
  }

  #asker(isHelper: boolean): Asker {
    const { uid, pid } = this;
    return { uid, pid, program: programBehind(pid, isHelper, this.#processes) };
  }
}

/** The agent itself, for what it does on its own account: a refresh that is due, a token that is looked at again. */
export const agentItself: Caller = aCaller(process.getuid!(), process.pid);

/**
 * Why this caller gets no answer; undefined if it may ask. Another user's process never gets this far through a folder
 * of mode 0700, so this is the second wall; root passes every folder and stops here (ADR 0002).
 */
export function whyRefused(caller: Pick<Caller, 'uid'>, ownUid: number): string | undefined {
  return caller.uid === ownUid ? undefined : `cannot serve uid ${caller.uid}: this agent belongs to uid ${ownUid}`;
}

/** What the kernel says where there is no peer: a uid of -1. */
const NOBODY = 0xffffffff;
const nobody: Caller = aCaller(-1, 0);

/** uid, gid and pid of the newest caller: filled and read at once, so that all share it. */
const peer = new Uint32Array(3);

/**
 * Who is behind a connection's descriptor. Without the addon the folder alone guards, and every caller counts as its
 * owner; `status` says so. A connection whose peer the kernel does not name is nobody's.
 */
export function callerOf(fd: number, native: Pick<Native, 'peer'> | undefined, ownUid: number): Caller {
  if (!native) return aCaller(ownUid, 0);
  try {
    native.peer(fd, peer);
    return callerIn(peer);
  } catch {
    return nobody;
  }
}

/** The caller in the numbers that the addon filled. */
export function callerIn(numbers: Uint32Array): Caller {
  const uid = numbers[0]!;
  return uid === NOBODY ? nobody : aCaller(uid, numbers[2]!);
}
