import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';

/** Bytes of a file that are read: kubeconfigs with a hundred clusters have some 300 KiB. */
export const FILE_MAX = 4 << 20;

/** A file as it was read, or why it was not. Nothing is said of what is not there. */
export type Opened =
  | { readonly status: 'ok'; readonly bytes: Buffer; readonly stats: Stats }
  | { readonly status: 'absent' }
  | { readonly status: 'unreadable'; readonly why: string };

/** Reads a plain file; a pipe or a device would hang or never end. */
export function openFile(path: string): Opened {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR'
      ? { status: 'absent' }
      : { status: 'unreadable', why: `it cannot be read (${code})` };
  }
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) return { status: 'unreadable', why: 'it is no plain file' };
    if (stats.size > FILE_MAX) return { status: 'unreadable', why: `it is longer than ${FILE_MAX >> 20} MiB` };
    const room = Buffer.alloc(stats.size);
    let length = 0;
    for (let more = 1; more > 0 && length < room.length; length += more)
      more = readSync(descriptor, room, length, room.length - length, length);
    return { status: 'ok', bytes: room.subarray(0, length), stats };
  } finally {
    closeSync(descriptor);
  }
}
