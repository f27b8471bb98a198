import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Makes a folder and those above it, each 0700 from its first moment. Throws the system's error of the one that could not
 * be made: node's own recursive mkdir says ENOENT of the last one where the first is on a read-only file system.
 */
export function makeFolders(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    const parent = dirname(folder);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === folder) throw error;
    if (!existsSync(parent)) makeFolders(parent);
    mkdirSync(folder, { mode: 0o700 });
  }
}
