import { createHash } from 'node:crypto';
import type { EpochSeconds } from '../../../protocol/credential.ts';
import type { Status } from '../../../protocol/status.ts';

/**
 * One thing that happened. Never a secret or a path. A host only where a request was refused, because nothing else says what
 * was asked for (ADR 0007), and host and username of what an erase removed, because it is not held any more. Absent is what
 * is not known.
 */
export type AuditEntry = {
  readonly at: EpochSeconds;
  /** An action of the wire, or `first-use`, `connect` (a caller was turned away), `recheck`, `verdict`, `lost` and `prune`. */
  readonly action: string;
  readonly outcome: Status;
  /** The credential's id. */
  readonly credential?: string | undefined;
  /** The adapter's name; `wire` for a request without one. */
  readonly tool?: string | undefined;
  readonly uid?: number | undefined;
  readonly pid?: number | undefined;
  /** The executable that asked, as far as it could be told: a hint, for a pid may be used again. */
  readonly program?: string | undefined;
  readonly cwd?: string | undefined;
  /** `protocol://host` of a refused request, and of what an erase removed. */
  readonly target?: string | undefined;
  /** How many like the one before, when they were not written one by one; of `lost`: how many entries. */
  readonly times?: number | undefined;
  /** Of `prune`: the last entry that was taken away, and its hash. */
  readonly through?: number | undefined;
  readonly hash?: string | undefined;
  /** Why, in the words of who asked. */
  readonly reason?: string | undefined;
  /** Of what an erase removed. */
  readonly username?: string | undefined;
};

/** The end of a chain: the number of its last entry and that entry's hash. */
export type Head = { readonly number: number; readonly hash: Uint8Array };

/** An entry as it rests: its canonical bytes and the hash that chains it to everything before. */
export type ChainedEntry = Head & { readonly line: Uint8Array };

/** The head of a chain without entries. */
export const genesis: Head = { number: 0, hash: new Uint8Array(32) };

/** The order of an entry's fields in its canonical bytes. It is part of what is hashed, so it never changes. */
const fields = [
  'at',
  'action',
  'outcome',
  'credential',
  'tool',
  'uid',
  'pid',
  'program',
  'cwd',
  'target',
  'times',
  'through',
  'hash',
  'reason',
  'username',
] as const satisfies readonly (keyof AuditEntry)[];

/** The bytes of an entry: JSON with its fields in one order and nothing between them, in UTF-8. */
export function lineOf(entry: AuditEntry): Buffer {
  return Buffer.from(JSON.stringify(entry, fields as unknown as string[]), 'utf8');
}

/** An entry back from its bytes. Throws where they are no JSON. */
export function entryOf(line: Uint8Array): AuditEntry {
  return JSON.parse(Buffer.from(line.buffer, line.byteOffset, line.length).toString('utf8')) as AuditEntry;
}

/** Chains an entry to what stands before it: SHA-256 over the hash before, the number (8 bytes) and the line. */
export function appendEntry(head: Head, entry: AuditEntry): ChainedEntry {
  const number = head.number + 1;
  const line = lineOf(entry);
  return { number, line, hash: hashOf(head.hash, number, line) };
}

function hashOf(before: Uint8Array, number: number, line: Uint8Array): Buffer {
  const place = Buffer.alloc(8);
  place.writeBigUInt64BE(BigInt(number));
  return createHash('sha256').update(before).update(place).update(line).digest();
}

/** What verifying found: all is as it was written, or the first entry that is not, and why. */
export type Verdict =
  | { readonly sound: true; readonly entries: number; readonly first: number; readonly head: Head }
  | { readonly sound: false; readonly number: number; readonly why: string };

/** What a chain must agree with besides itself. */
export type Expectation = {
  /** The head as the writer knows it: the chain must end there. */
  readonly end?: Head | undefined;
  /** A head that was exported once: the chain must still hold it. */
  readonly against?: Head | undefined;
};

/** Verifies a whole chain at once; `rows` come in the order of their numbers. */
export function verifyChain(rows: Iterable<ChainedEntry>, expectation: Expectation = {}): Verdict {
  const check = new ChainCheck(expectation);
  for (const row of rows) if (!check.take(row)) break;
  return check.verdict();
}

/**
 * Verifies a chain row by row. Its beginning is the first entry ever, or what the last `prune` entry in it says was
 * taken away; so a beginning that is missing without one is found.
 */
export class ChainCheck {
  readonly #expectation: Expectation;
  #first: ChainedEntry | undefined;
  #last: ChainedEntry | undefined;
  #entries = 0;
  #pruned: Head = genesis;
  #metAgainst = false;
  #wrong: Extract<Verdict, { sound: false }> | undefined;

  constructor(expectation: Expectation = {}) {
    this.#expectation = expectation;
  }

  /** Takes the next row. False once it is known that something is wrong. */
  take(row: ChainedEntry): boolean {
    const { against } = this.#expectation;
    const last = this.#last;
    if (this.#wrong) return false;
    if (last) {
      if (row.number !== last.number + 1) return this.#fail(last.number + 1, 'it is missing');
      if (!isEqual(row.hash, hashOf(last.hash, row.number, row.line))) return this.#fail(row.number, CHANGED);
    } else this.#first = row;
    if (against?.number === row.number) {
      this.#metAgainst = true;
      if (!isEqual(against.hash, row.hash)) return this.#fail(row.number, 'it is another than was exported');
    }
    this.#last = row;
    this.#entries++;
    return this.#readPrune(row);
  }

  verdict(): Verdict {
    const { end, against } = this.#expectation;
    const first = this.#first;
    const head: Head = this.#last ?? genesis;
    if (!this.#wrong && first) {
      if (first.number !== this.#pruned.number + 1)
        this.#fail(this.#pruned.number + 1, first.number > this.#pruned.number ? 'it is missing' : PRUNED_STANDS);
      else if (!isEqual(first.hash, hashOf(this.#pruned.hash, first.number, first.line)))
        this.#fail(first.number, CHANGED);
    }
    if (!this.#wrong && end && (end.number !== head.number || !isEqual(end.hash, head.hash)))
      this.#fail(Math.min(head.number, end.number) + 1, 'the log ends elsewhere than it was written to');
    if (!this.#wrong && against && !this.#metAgainst && against.number > 0) this.#compareEdges(head, against);
    return this.#wrong ?? { sound: true, entries: this.#entries, first: first?.number ?? 0, head };
  }

  /** The exported head is none of the rows: it was pruned since, or cut off. */
  #compareEdges(head: Head, against: Head): void {
    const { number, hash } = this.#pruned;
    if (against.number > head.number) this.#fail(head.number + 1, 'it was exported and is cut off');
    else if (against.number < number) this.#fail(against.number, 'it was pruned since, and cannot be compared');
    else if (!isEqual(hash, against.hash)) this.#fail(number, 'it is another than was exported');
  }

  #readPrune(row: ChainedEntry): boolean {
    let entry: AuditEntry;
    try {
      entry = entryOf(row.line);
    } catch {
      return this.#fail(row.number, CHANGED);
    }
    if (entry.action !== 'prune') return true;
    this.#pruned = { number: entry.through ?? 0, hash: Buffer.from(entry.hash ?? '', 'hex') };
    return true;
  }

  #fail(number: number, why: string): boolean {
    this.#wrong ??= { sound: false, number, why };
    return false;
  }
}

const CHANGED = 'it was changed';
const PRUNED_STANDS = 'it should have been pruned';

function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}
