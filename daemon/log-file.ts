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
      try {
        if (size > 0 && size + bytes.length > FILE_MAX) {
          rotate(path);
          // The new one first: a descriptor that was closed is soon a connection's, and lines must never go there.
          const next = openSync(path, 'a', 0o600);
          closeSync(fd);
          fd = next;
          size = 0;
        }
        size += writeSync(fd, bytes);
      } catch {
        // A full disk or a folder taken away must not end the agent; the line is lost.
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
