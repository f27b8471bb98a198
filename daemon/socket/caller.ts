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
