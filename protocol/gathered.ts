const EMPTY = Buffer.alloc(0);

/** Wiped memory of those that were left: most gather a few hundred bytes once, and fresh memory each would be garbage. */
const spare: Buffer[] = [];
const SPARE_MAX = 64;
const SPARE_SIZE = 1_024;

/** Bytes that came in pieces, in one memory that grows by doubling and is wiped when it is left. */
export class Gathered {
  #bytes: Buffer = EMPTY;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Adds `bytes[start, end)`. */
  add(bytes: Buffer, start: number, end: number): void {
    if (start === end) return;
    const length = this.#length + end - start;
    if (length > this.#bytes.length) {
      const larger = memoryOf(Math.max(length, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#leave();
      this.#bytes = larger;
    }
    bytes.copy(this.#bytes, this.#length, start, end);
    this.#length = length;
  }

  /** What is held; borrowed until the next call. */
  view(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Forgets the first `count` bytes. */
  skip(count: number): void {
    if (count === this.#length) this.wipe();
    else if (count > 0) {
      this.#bytes.copyWithin(0, count, this.#length);
      this.#bytes.fill(0, this.#length - count, this.#length);
      this.#length -= count;
    }
  }

  /** Hands the memory over to somebody who wipes it. */
  surrender(): Buffer {
    const view = this.view();
    this.#bytes = EMPTY;
    this.#length = 0;
    return view;
  }

  wipe(): void {
    this.#leave();
    this.#bytes = EMPTY;
    this.#length = 0;
  }

  #leave(): void {
    const bytes = this.#bytes;
    if (bytes === EMPTY) return;
    if (bytes.length === SPARE_SIZE && spare.length < SPARE_MAX) {
      bytes.fill(0, 0, this.#length);
      spare.push(bytes);
    } else bytes.fill(0);
  }
}

function memoryOf(length: number): Buffer {
  if (length > SPARE_SIZE) return Buffer.allocUnsafeSlow(length);
  return spare.pop() ?? Buffer.alloc(SPARE_SIZE);
}
