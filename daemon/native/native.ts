/** What the N-API addon (addon.c) offers, where it could be built. Everything has a way to live without it. */
export interface Native {
  /**
   * Who connected (SO_PEERCRED, unix(7)), fixed at connect time: uid, gid and pid, into the three numbers of `into`.
   * Throws for a descriptor that is no connected Unix socket.
   */
  peer(fd: number, into: Uint32Array): void;
  /**
   * `size` bytes of zeroed memory outside the JavaScript heap, excluded from core dumps. `hidden`: memfd_secret, which
   * even root cannot read by /proc/PID/mem; `locked`: mlocked, never swapped. Both may be false (RLIMIT_MEMLOCK).
   */
  region(size: number): { readonly memory: ArrayBuffer; readonly hidden: boolean; readonly locked: boolean };
  /** PR_SET_DUMPABLE 0, RLIMIT_CORE 0 and PR_SET_NO_NEW_PRIVS 1. True if all three took. */
  harden(): boolean;
  /**
   * Locks all memory of this process, also what it takes later (mlockall(2)): none of it is swapped. For children that live for one
   * operation. True if it took: RLIMIT_MEMLOCK must be unlimited, or CAP_IPC_LOCK held; else nothing has changed.
   */
  lockMemory(): boolean;
  /** sd_notify(3): sends `state` to the socket in `path` (a leading @ means abstract). True if it was sent. */
  notify(path: string, state: string): boolean;
  /**
   * Gives memory back to the system that can be had again: freed heap, and the pages of node's own code and constants,
   * most of which only start-up needed. They stay in the system's page cache, and those that are used again come back by
   * themselves.
   */
  giveBack(): void;
  /**
   * Takes the connections of a listening socket, of which it keeps a descriptor of its own, `fd`. For each: who it is
   * goes into the three numbers of `peer` (as in `peer`; uid 4294967295 is nobody), and `onConnection` gets its
   * descriptor, which is non-blocking and the callee's to close. What that leaves to microtasks is done before the next
   * one is taken. `onTaken` comes after those that stood there. `stop` ends it and closes `fd`.
   */
  take(listening: number, peer: Uint32Array, onConnection: (fd: number) => void, onTaken: () => void): Taking;
  /** recv(2): how many bytes came into `into`; 0 at the end of the input, -1 if none have come yet, -2 if it broke. */
  receive(fd: number, into: Buffer): number;
  /**
   * send(2): how many bytes there was room for, which may be 0; -2 if it broke. It raises no signal. While connections
   * are being taken, short answers but the first may be copied, sent before `onTaken`, and wiped.
   */
  send(fd: number, bytes: Buffer): number;
  /** close(2), for a descriptor of `onConnection`, behind what is to be sent on it. */
  close(fd: number): void;
}

export type Taking = { readonly fd: number; stop(): void };
