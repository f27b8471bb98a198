import type { Native } from '../native/native.ts';

/** Who is on the socket, as the kernel says it. */
export type Caller = {
  readonly uid: number;
  /** 0 where the peer lives in another pid namespace, or where the addon is missing. */
  readonly pid: number;
};

/**
 * Why this caller gets no answer; undefined if it may ask. Another user's process never gets this far through a folder
 * of mode 0700, so this is the second wall; root passes every folder and stops here (ADR 0002).
 */
export function whyRefused(caller: Caller, ownUid: number): string | undefined {
  return caller.uid === ownUid ? undefined : `cannot serve uid ${caller.uid}: this agent belongs to uid ${ownUid}`;
}

/** What the kernel says where there is no peer: a uid of -1. */
const NOBODY = 0xffffffff;
const nobody: Caller = { uid: -1, pid: 0 };

/** uid, gid and pid of the newest caller: filled and read at once, so that all share it. */
const peer = new Uint32Array(3);

/**
 * Who is behind a connection's descriptor. Without the addon the folder alone guards, and every caller counts as its
 * owner; `status` says so. A connection whose peer the kernel does not name is nobody's.
 */
export function callerOf(fd: number, native: Pick<Native, 'peer'> | undefined, ownUid: number): Caller {
  if (!native) return { uid: ownUid, pid: 0 };
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
  return uid === NOBODY ? nobody : { uid, pid: numbers[2]! };
}
