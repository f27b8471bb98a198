import type { Held } from '../../../daemon/backends/backend.ts';
import { openVault } from '../../../daemon/backends/vault/vault.ts';
import { expose, heapSecret } from '../../../protocol/secret.ts';

/** Few enough that most changes replace or erase something. */
export const TARGETS = 24;

export type Change = { readonly target: number; readonly value: string | undefined };

/** What rests, by target. */
export type Resting = Map<number, string>;

/** An endless play of stores and erases; every value is new, so that an old one that comes back is noticed. */
export function* changes(seed: number): Generator<Change> {
  const random = randomFrom(seed);
  for (let number = 0; ; number++) {
    const target = Math.floor(random() * TARGETS);
    const erase = random() < 0.4;
    // Some values span pages of the file, because a torn one must show.
    const padding = random() < 0.1 ? 'x'.repeat(9_000) : '';
    yield { target, value: erase ? undefined : `${seed}-${number}-${padding}EXAMPLE` };
  }
}

export function heldOf(target: number): Held {
  return { protocol: 'https', host: `h${target}.example.com`, username: 'ada', id: `id-${target}`, storedAt: target };
}

/** A change that was acknowledged, when (CLOCK_MONOTONIC, nanoseconds), and what rested before it. */
type Done = Change & { readonly at: bigint; readonly before: string | undefined };

/** What a writer was told of, kept over all its lives: what must rest, and which changes may or may not have been made. */
export class Acknowledged {
  readonly resting: Resting = new Map();
  count = 0;
  #begun: Change | undefined;
  #done: Done[] = [];
  #line = '';

  hear(chunk: string): void {
    const lines = (this.#line + chunk).split('\n');
    this.#line = lines.pop()!;
    for (const line of lines) {
      const [word, ...rest] = line.split(' ');
      if (word === 'begin') {
        this.#begun = { target: Number(rest[0]), value: rest[1] === '-' ? undefined : rest[1] };
      } else if (word === 'done') {
        const { target, value } = this.#begun!;
        this.#done.push({ target, value, at: BigInt(rest[0]!), before: this.resting.get(target) });
        this.#rests(this.#begun!);
        this.#begun = undefined;
        this.count++;
      }
    }
  }

  /**
   * Compares with what was found, and says what differs; what was found counts from here on. The change under way may
   * have been made or not, and so may those that were acknowledged after the cut, if there was one.
   */
  check(found: Resting, cutAt?: bigint): string[] {
    const open = this.#begun ? [this.#begun] : [];
    for (let last = this.#done.pop(); last; last = this.#done.pop()) {
      if (cutAt === undefined || last.at <= cutAt) break;
      open.push(last);
      this.#rests({ target: last.target, value: last.before });
      this.count--;
    }
    const wrong: string[] = [];
    for (let target = 0; target < TARGETS; target++) {
      const [is, should] = [found.get(target), this.resting.get(target)];
      if (is === should) continue;
      if (!open.some((change) => change.target === target && change.value === is)) {
        wrong.push(`target ${target}: found ${short(is)}, acknowledged ${short(should)}`);
      }
      this.#rests({ target, value: is });
    }
    this.#begun = undefined;
    this.#done = [];
    this.#line = '';
    return wrong;
  }

  #rests({ target, value }: Change): void {
    if (value === undefined) this.resting.delete(target);
    else this.resting.set(target, value);
  }
}

/** Everything that rests in a vault, every record read. */
export async function readVault(folder: string): Promise<Resting> {
  const vault = await openVault({ folder, keep: heapSecret });
  try {
    const found: Resting = new Map();
    for (const held of await vault.list()) {
      const { secret } = (await vault.get(held))!;
      found.set(held.storedAt, Buffer.from(expose(secret!)).toString());
    }
    return found;
  } finally {
    await vault.dispose();
  }
}

/** Numbers in [0, 1) that a seed decides (mulberry32), so that a failure can be played again. */
export function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function short(value: string | undefined): string {
  return value === undefined ? 'nothing' : value.replace(/x+/, 'x…');
}
