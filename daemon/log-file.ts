import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs';
import type { LogSink } from './log.ts';

/** Bytes of one file of the log, and how many there are: agent.log, agent.log.1, agent.log.2. */
const FILE_MAX = 1_048_576;
const FILES = 3;

/** A log file that renames itself away before it grows too large. Mode 0600 by the umask of the agent. */
export function openLogFile(path: string): LogSink {
  let fd = openSync(path, 'a', 0o600);
  let size = fstatSync(fd).size;
  return {
    write(line) {
      const bytes = Buffer.from(line);
      if (size > 0 && size + bytes.length > FILE_MAX) {
        closeSync(fd);
        rotate(path);
        fd = openSync(path, 'a', 0o600);
        size = 0;
      }
      try {
        size += writeSync(fd, bytes);
      } catch {
        // A full disk must not end the agent; the line is lost.
      }
    },
  };
}

function rotate(path: string): void {
  for (let number = FILES - 1; number >= 1; number--) {
    try {
      renameSync(number === 1 ? path : `${path}.${number - 1}`, `${path}.${number}`);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}
