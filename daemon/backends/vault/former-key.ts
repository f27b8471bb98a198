import { createHash } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { removeLeftovers, replaceDurably, syncFolder } from '../../../platform/durable.ts';
import type { Seconds } from '../../../protocol/credential.ts';
import type { Clock } from '../../clock.ts';
import { type Elapsed, elapsedBy } from '../../history/erased/elapsed.ts';
import { decodeHeader, encodeHeader, type Header } from './header.ts';
import { storageFault } from './storage-fault.ts';

/** How long a change of the vault's key can be undone, by evidence of time passed. */
const KEPT: Seconds = 86_400;

/** `header`: the former one, in base64. `follows`: the hash of the header in use, so that another vault is never changed. */
type Record = { readonly header: string; readonly follows: string; readonly elapsed: Elapsed };

/**
 * The header that opened a vault without a passphrase, kept for a day behind a change of its key: a change that its owner did
 * not make, or a passphrase that was mistyped twice, can be undone. It is sealed under the former key, which stays as long.
 */
export class FormerKey {
  readonly #file: string;
  readonly #clock: Clock | undefined;
  #record: Record | undefined;

  /** Without a clock nothing is kept. */
  constructor(file: string, clock: Clock | undefined) {
    this.#file = file;
    this.#clock = clock;
    this.#record = clock && this.#read();
    if (clock) removeLeftovers(file);
  }

  /** Seconds for which the change can still be undone; undefined if there is nothing to undo. */
  get left(): Seconds | undefined {
    if (!this.#record) return undefined;
    const left = KEPT - elapsedBy(this.#record.elapsed, this.#now()).passed;
    return left > 0 ? left : undefined;
  }

  /** Whether a record is there whose day is over: it, and what it needs, is to be removed. */
  get isOver(): boolean {
    return this.#record !== undefined && this.left === undefined;
  }

  /** Keeps `before`, which is about to be replaced by `next`. Durable when it returns; a change back removes it. */
  keep(before: Header, next: Header): void {
    if (!this.#clock) return;
    const { left } = this;
    if (before.kind !== 'passphrase') {
      const header = encodeHeader(before).toString('base64');
      this.#write({ header, follows: hashOf(next), elapsed: { passed: 0, ...this.#now() } });
    } else if (left !== undefined) {
      // The second of two changes within the day leads back to where the first began.
      this.#write({ ...this.#record!, follows: hashOf(next) });
    }
  }

  /** The former header of a vault whose header is `current`; undefined if its change cannot be undone any more. */
  of(current: Header, vault: string): Header | undefined {
    if (this.left === undefined || this.#record!.follows !== hashOf(current)) return undefined;
    return decodeHeader(Buffer.from(this.#record!.header, 'base64'), vault);
  }

  /** Writes how much time has passed, so that it counts over restarts. */
  note(): void {
    if (this.#record) this.#write({ ...this.#record, elapsed: elapsedBy(this.#record.elapsed, this.#now()) });
  }

  drop(): void {
    if (!this.#record) return;
    this.#record = undefined;
    rmSync(this.#file, { force: true });
    syncFolder(dirname(this.#file));
  }

  #now(): { wall: number; boot: number } {
    return { wall: this.#clock!.now(), boot: this.#clock!.sinceBoot() };
  }

  /** A file that cannot be read leads nowhere, and that is no reason to keep the vault shut. */
  #read(): Record | undefined {
    try {
      const { version, header, follows, elapsed } = JSON.parse(readFileSync(this.#file, 'utf8'));
      const isWhole = [elapsed.passed, elapsed.wall, elapsed.boot].every(Number.isFinite);
      if (version === 1 && typeof header === 'string' && typeof follows === 'string' && isWhole) {
        return { header, follows, elapsed };
      }
    } catch {}
    return undefined;
  }

  #write(record: Record): void {
    try {
      replaceDurably(this.#file, `${JSON.stringify({ version: 1, ...record })}\n`);
    } catch (error) {
      throw storageFault(error, 'write', this.#file).fault;
    }
    this.#record = record;
  }
}

function hashOf(header: Header): string {
  return createHash('sha256').update(encodeHeader(header)).digest('hex');
}
