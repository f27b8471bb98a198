import { timingSafeEqual } from 'node:crypto';
import { type Secret, type SecretKeeper, secretDisposed, UnprintableSecret } from '../../../protocol/secret.ts';
import type { Native } from '../../native/native.ts';
import { CHUNK_SIZE, type Protection, Slots } from './slots.ts';

export type Region = {
  /** Keeps a secret here. It never fails for want of locked memory: then the region is `plain` from there on. */
  readonly keep: SecretKeeper;
  /** The weakest of all that is in use. */
  readonly protection: Protection;
  /** Bytes taken by secrets that were not disposed of, rounded up to their slots. */
  readonly used: number;
  /** Wipes everything; each secret then throws `secret_disposed`, and so does `keep`. */
  readonly dispose: () => void;
};

export type RegionOptions = {
  readonly native?: Pick<Native, 'region'> | undefined;
  /** Bytes to grow by. */
  readonly size?: number;
};

/** Opens the memory that the agent's secrets live in: outside the JavaScript heap where the addon is there. */
export function openRegion({ native, size = CHUNK_SIZE }: RegionOptions = {}): Region {
  const slots = new Slots(size, native);
  return {
    keep: (bytes) => new RegionSecret(slots, bytes),
    get protection() {
      return slots.protection;
    },
    get used() {
      return slots.used;
    },
    dispose: () => slots.dispose(),
  };
}

const GONE = -1;

class RegionSecret extends UnprintableSecret {
  readonly #slots: Slots;
  #slot: number;
  #length: number;

  constructor(slots: Slots, bytes: Uint8Array) {
    super();
    this.#slots = slots;
    this.#length = bytes.length;
    this.#slot = slots.take(bytes.length);
    slots.chunkOf(this.#slot).set(bytes, slots.offsetOf(this.#slot));
  }

  get length(): number {
    return this.#length;
  }

  copyTo(target: Uint8Array, offset = 0): number {
    const chunk = this.#chunk();
    // Buffer.copy would copy as much as fits and say nothing.
    if (target.length - offset < this.#length) throw new RangeError('cannot copy a secret: the target is too small');
    const start = this.#slots.offsetOf(this.#slot);
    return chunk.copy(target, offset, start, start + this.#length);
  }

  override equals(other: Secret): boolean {
    const mine = this.#view();
    if (other.length !== this.#length) return false;
    if (#slot in other) return timingSafeEqual(mine, other.#view());
    // What lies elsewhere is brought here to be compared, rather than this to the heap.
    const copy = this.#slots.take(this.#length);
    try {
      const chunk = this.#slots.chunkOf(copy);
      const start = this.#slots.offsetOf(copy);
      other.copyTo(chunk, start);
      return timingSafeEqual(mine, chunk.subarray(start, start + this.#length));
    } finally {
      this.#slots.give(copy, this.#length);
    }
  }

  dispose(): void {
    if (this.#slot === GONE) return;
    this.#slots.give(this.#slot, this.#length);
    this.#slot = GONE;
    this.#length = 0;
  }

  #chunk(): Buffer {
    if (this.#slot === GONE || this.#slots.disposed) throw secretDisposed();
    return this.#slots.chunkOf(this.#slot);
  }

  #view(): Buffer {
    const chunk = this.#chunk();
    const start = this.#slots.offsetOf(this.#slot);
    return chunk.subarray(start, start + this.#length);
  }
}
