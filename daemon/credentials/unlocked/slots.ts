import { secretDisposed } from '../../../protocol/secret.ts';
import type { Native } from '../../native/native.ts';

/**
 * How well memory is kept from others: `hidden` even from root's passive looks, `locked` out of swap and core dumps,
 * or `plain`.
 */
export type Protection = 'hidden' | 'locked' | 'plain';

const weakestLast: readonly Protection[] = ['hidden', 'locked', 'plain'];

/** Bytes that the region grows by: few enough that many chunks fit the usual 8 MiB of lockable memory. */
export const CHUNK_SIZE = 262_144;
const CHUNK_SIZE_MIN = 4_096;
/** Bytes of the smallest slot; most tokens have 40. */
const UNIT = 64;

/**
 * Hands out pieces of memory in sizes of powers of two, and wipes what comes back. A slot is a number: which unit of
 * all chunks, counted through, it begins at. A piece larger than a chunk has a chunk of its own.
 */
export class Slots {
  readonly #native: Pick<Native, 'region'> | undefined;
  readonly #chunkSize: number;
  readonly #chunks: Buffer[] = [];
  /** By size class: slots that came back, or were left over. */
  readonly #free: number[][] = [];
  /** The first unit of the newest common chunk that nothing was taken from yet, and how many follow it. */
  #next = 0;
  #left = 0;
  #used = 0;
  #protection: Protection = 'hidden';
  #disposed = false;

  constructor(chunkSize: number, native: Pick<Native, 'region'> | undefined) {
    this.#chunkSize = powerOfTwo(CHUNK_SIZE_MIN, chunkSize);
    this.#native = native;
    this.#grow();
  }

  get protection(): Protection {
    return this.#protection;
  }

  get used(): number {
    return this.#used;
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** A slot of at least `length` bytes, all zero. Throws `secret_disposed` once the slots are. */
  take(length: number): number {
    if (this.#disposed) throw secretDisposed();
    const size = powerOfTwo(UNIT, length);
    const slot = this.#free[classOf(size)]?.pop() ?? this.#carve(size);
    this.#used += size;
    return slot;
  }

  /** Takes a slot back that was taken for `length` bytes, and wipes it. */
  give(slot: number, length: number): void {
    if (this.#disposed) return;
    const size = powerOfTwo(UNIT, length);
    const start = this.offsetOf(slot);
    this.chunkOf(slot).fill(0, start, start + size);
    this.#used -= size;
    this.#release(slot, size);
  }

  chunkOf(slot: number): Buffer {
    return this.#chunks[Math.floor((slot * UNIT) / this.#chunkSize)]!;
  }

  offsetOf(slot: number): number {
    return (slot * UNIT) % this.#chunkSize;
  }

  dispose(): void {
    this.#disposed = true;
    for (const chunk of this.#chunks.splice(0)) chunk.fill(0);
    this.#free.length = 0;
    this.#used = 0;
  }

  #carve(size: number): number {
    if (size > this.#chunkSize) return this.#addChunk(size);
    const units = size / UNIT;
    if (units > this.#left) this.#grow();
    const slot = this.#next;
    this.#next += units;
    this.#left -= units;
    return slot;
  }

  /** Begins a new chunk; what was left of the last one goes to the smaller sizes. */
  #grow(): void {
    while (this.#left > 0) {
      const units = 2 ** Math.floor(Math.log2(this.#left));
      this.#release(this.#next, units * UNIT);
      this.#next += units;
      this.#left -= units;
    }
    this.#next = this.#addChunk(this.#chunkSize);
    this.#left = this.#chunkSize / UNIT;
  }

  /** Answers the slot that the new memory begins at. A large chunk stands at as many places as it covers. */
  #addChunk(size: number): number {
    const slot = (this.#chunks.length * this.#chunkSize) / UNIT;
    const chunk = this.#memory(size);
    for (let covered = 0; covered < size; covered += this.#chunkSize) this.#chunks.push(chunk);
    return slot;
  }

  #release(slot: number, size: number): void {
    const index = classOf(size);
    this.#free[index] ??= [];
    this.#free[index].push(slot);
  }

  #memory(size: number): Buffer {
    try {
      const made = this.#native?.region(size);
      if (made) {
        this.#weaken(made.hidden ? 'hidden' : made.locked ? 'locked' : 'plain');
        return Buffer.from(made.memory, 0, size);
      }
    } catch {
      // Secrets are kept all the same, and `protection` says how.
    }
    this.#weaken('plain');
    return Buffer.from(new ArrayBuffer(size));
  }

  #weaken(to: Protection): void {
    if (weakestLast.indexOf(to) > weakestLast.indexOf(this.#protection)) this.#protection = to;
  }
}

/** The smallest doubling of `unit` that is no less than `length`. */
function powerOfTwo(unit: number, length: number): number {
  let size = unit;
  while (size < length) size *= 2;
  return size;
}

function classOf(size: number): number {
  return 31 - Math.clz32(size / UNIT);
}
