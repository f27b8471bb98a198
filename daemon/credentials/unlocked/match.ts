import { identityOf, type Target } from '../../../protocol/credential.ts';

/** One or several, the one to choose first last; a lone member stands without an array, because nearly all do. */
type Stack<T> = T | T[];

/**
 * What is held, found by what a request names. A request's path and username must be equal where it has them and match
 * anything where it has not; among several the one that `compare` puts first is found, and of equal ones the one added last.
 * Each member stands under every shape of request that can find it (at most four), in that order, so that one among 10,000
 * costs what one among ten costs. What `compare` looks at must not change while a member is in here.
 */
export class TargetIndex<T extends Target> {
  readonly #stacks = new Map<string, Stack<T>>();
  readonly #compare: (one: T, other: T) => number;

  /** `compare` is for `sort`, the one to choose first; without it the one added last is. */
  constructor(compare: (one: T, other: T) => number = () => 0) {
    this.#compare = compare;
  }

  /** The match to choose first among those that `accepts` does not turn down. */
  find(target: Target, accepts: (member: T) => boolean): T | undefined {
    const stack = this.#stacks.get(keyOf(target, target.path, target.username));
    if (stack === undefined) return undefined;
    if (!Array.isArray(stack)) return accepts(stack) ? stack : undefined;
    return stack.findLast(accepts);
  }

  /** Every match, the one to choose first last. */
  findAll(target: Target): readonly T[] {
    const stack = this.#stacks.get(keyOf(target, target.path, target.username));
    return stack === undefined ? [] : Array.isArray(stack) ? [...stack] : [stack];
  }

  /** Adds a member; it comes before those that `compare` finds equal to it. */
  add(member: T): void {
    for (const key of keysOf(member)) {
      const stack = this.#stacks.get(key);
      if (stack === undefined) this.#stacks.set(key, member);
      else if (Array.isArray(stack)) stack.splice(this.#placeIn(stack, member), 0, member);
      else this.#stacks.set(key, this.#placeIn([stack], member) === 0 ? [member, stack] : [stack, member]);
    }
  }

  /** Where a member belongs: behind all that are not to be chosen before it. By halves: a host may have thousands. */
  #placeIn(stack: readonly T[], member: T): number {
    let [low, high] = [0, stack.length];
    // Nearly all are stored last and rank no lower than the others.
    if (this.#compare(member, stack[high - 1]!) <= 0) return high;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#compare(member, stack[middle]!) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  remove(member: T): void {
    for (const key of keysOf(member)) {
      const stack = this.#stacks.get(key);
      if (stack === member) this.#stacks.delete(key);
      else if (Array.isArray(stack)) {
        const rest = stack.filter((other) => other !== member);
        if (rest.length === 1) this.#stacks.set(key, rest[0]!);
        else this.#stacks.set(key, rest);
      }
    }
  }

  clear(): void {
    this.#stacks.clear();
  }
}

/** Every shape of request that finds `member`. */
function keysOf(member: Target): Set<string> {
  const { path, username } = member;
  const shapes = [
    keyOf(member, undefined, undefined),
    keyOf(member, path, undefined),
    keyOf(member, undefined, username),
    keyOf(member, path, username),
  ];
  return new Set(shapes.map(flat));
}

/** A request that names neither is the most frequent, and the shortest; any other is an identity (backend.ts). */
function keyOf({ protocol, host }: Target, path: string | undefined, username: string | undefined): string {
  if (path === undefined && username === undefined) return `${protocol}\0${host}`;
  return identityOf({ protocol, host, path, username });
}

/** For a key that stays: V8 keeps the parts of a sum beside it for as long as it lives. Wire values are latin1. */
function flat(key: string): string {
  return Buffer.from(key, 'latin1').toString('latin1');
}
