import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { unpublished } from '../../protocol/places.ts';

/** The program that holds a listening socket. */
export type Listener = { readonly pid: number; readonly name: string };

/** SO_ACCEPTCON in the flags of /proc/net/unix (proc(5)): the socket listens. */
const LISTENS = 0x10000;

/**
 * Who listens on a socket's path, told by /proc alone: no addon, and no connection to a program that nobody knows.
 * Undefined if nobody does, or if it is a process that may not be looked into (another user's, or a hardened agent).
 */
export function listenerOn(path: string): Listener | undefined {
  const inodes = new Set(inodesOf(path).map((inode) => `socket:[${inode}]`));
  if (inodes.size === 0) return undefined;
  for (const pid of readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name))) {
    if (descriptorsOf(pid).some((target) => inodes.has(target))) return { pid: Number(pid), name: nameOf(pid) };
  }
  return undefined;
}

/** A line is: address refcount protocol flags type state inode path. A path may hold blanks; it is the rest. */
function inodesOf(path: string): string[] {
  return readFileSync('/proc/net/unix', 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, , , flags, , , inode, ...rest] = line.split(' ').filter((word, at) => word !== '' || at > 6);
      const name = rest.join(' ');
      const isIt = (name === path || name === unpublished(path)) && (Number.parseInt(flags ?? '', 16) & LISTENS) !== 0;
      return isIt && inode ? [inode] : [];
    });
}

function descriptorsOf(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
      } catch {
        return [];
      }
    });
  } catch {
    return [];
  }
}

/** The program's first argument says more than the kernel's 15 characters of it. */
function nameOf(pid: string): string {
  try {
    const [program = ''] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return program.split('/').at(-1)! || readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return 'an unnamed program';
  }
}
