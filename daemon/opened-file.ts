import { lstatSync } from 'node:fs';

/**
 * The file of an open SQLite connection, and the WAL beside it, as they were found when it was opened. A process keeps writing to
 * a file that was removed or replaced under it: all succeeds, and what was written is gone when the process ends.
 */
export class OpenedFile {
  readonly #file: string;
  readonly #identity: string | undefined;
  /** Of the WAL; SQLite may make it at the first change only. */
  #wal: string | undefined;

  /** `file` was opened a moment ago. */
  constructor(file: string) {
    this.#file = file;
    this.#identity = identityOf(file);
    this.#wal = identityOf(`${file}-wal`);
  }

  /**
   * What happened to the file; undefined while its names lead to what is written. Two calls of lstat(2): ask before a change and
   * behind it, and acknowledge neither.
   */
  get trouble(): string | undefined {
    const now = identityOf(this.#file);
    if (now === undefined) return 'it was removed';
    if (now !== this.#identity) return 'another file was put in its place';
    const wal = identityOf(`${this.#file}-wal`);
    if (this.#wal !== undefined && wal !== this.#wal) return 'its WAL was removed or replaced';
    this.#wal = wal;
    return undefined;
  }
}

function identityOf(file: string): string | undefined {
  try {
    const { dev, ino } = lstatSync(file, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}
