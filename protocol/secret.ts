import { timingSafeEqual } from 'node:crypto';
import { inspect } from 'node:util';
import { KeyholdError } from './errors.ts';

/**
 * The confidential bytes of a credential. It never prints itself: text, JSON and inspection all show `[secret]`.
 *
 * A secret has one owner, who disposes of it. Whoever receives one as an argument or in a reply borrows it until the
 * next await, and takes a copy of its own (a `SecretKeeper`) to keep it for longer.
 */
export interface Secret {
  /** Bytes held; 0 is a secret too (git stores empty passwords). */
  readonly length: number;
  /** Copies all bytes into `target` at `offset` and answers how many. Throws `secret_disposed` once disposed. */
  copyTo(target: Uint8Array, offset?: number): number;
  /** Compares in time that depends on the lengths only. */
  equals(other: Secret): boolean;
  /** Wipes the bytes. May be called again. */
  dispose(): void;
}

/** Copies `bytes` into memory of its own. The bytes stay the caller's to wipe. */
export type SecretKeeper = (bytes: Uint8Array) => Secret;

const REDACTED = '[secret]';

/** The shared manners of every form of secret: none of the ways to print a value shows one. */
export abstract class UnprintableSecret implements Secret {
  abstract readonly length: number;
  abstract copyTo(target: Uint8Array, offset?: number): number;
  abstract dispose(): void;

  equals(other: Secret): boolean {
    if (other.length !== this.length) return false;
    const mine = expose(this);
    const theirs = expose(other);
    try {
      return timingSafeEqual(mine, theirs);
    } finally {
      mine.fill(0);
      theirs.fill(0);
    }
  }

  toString(): string {
    return REDACTED;
  }
  toJSON(): string {
    return REDACTED;
  }
  [Symbol.toPrimitive](): string {
    return REDACTED;
  }
  [inspect.custom](): string {
    return REDACTED;
  }
}

class HeapSecret extends UnprintableSecret {
  #bytes: Uint8Array | undefined;

  constructor(bytes: Uint8Array) {
    super();
    this.#bytes = wipeable(bytes.length);
    this.#bytes.set(bytes);
  }

  get length(): number {
    return this.#bytes?.length ?? 0;
  }

  copyTo(target: Uint8Array, offset = 0): number {
    if (!this.#bytes) throw secretDisposed();
    target.set(this.#bytes, offset);
    return this.#bytes.length;
  }

  dispose(): void {
    this.#bytes?.fill(0);
    this.#bytes = undefined;
  }
}

/** Keeps a secret in ordinary memory: for clients and tests. The agent has a locked region instead. */
export const heapSecret: SecretKeeper = (bytes) => new HeapSecret(bytes);

/** A heap secret from text, as UTF-8. For tests and for text that is in a string already. */
export function secretFromText(text: string): Secret {
  const bytes = new TextEncoder().encode(text);
  const secret = heapSecret(bytes);
  bytes.fill(0);
  return secret;
}

/**
 * Reveals a secret: a fresh copy that the caller must wipe. This is the one word that a reviewer searches for;
 * test/architecture.test.ts holds the list of files that may say it.
 */
export function expose(secret: Secret): Uint8Array {
  const bytes = wipeable(secret.length);
  secret.copyTo(bytes);
  return bytes;
}

/**
 * Zeroed memory for confidential bytes that wiping really reaches. A pooled Buffer shares its memory with strangers,
 * and a typed array of up to 64 bytes lies on the JavaScript heap unless it is made like this: the garbage collector
 * moves it there and leaves its former bytes behind.
 */
export function wipeable(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(length));
}

export function secretDisposed(): KeyholdError {
  return new KeyholdError('secret_disposed', 'cannot read a secret: it was erased');
}
