import type { EpochSeconds } from '../../../protocol/credential.ts';
import { KeyholdError } from '../../../protocol/errors.ts';
import { CALL_DEADLINE, type KeyringProcess } from './keyring-process.ts';
import type { ItemName } from './names.ts';
import type { Operation, Outcome } from './operations.ts';

/** A page of the keyring's items. */
export type ItemPage = {
  readonly total: number;
  readonly next: number;
  readonly items: readonly { readonly name: ItemName; readonly modified: EpochSeconds }[];
};

/**
 * Milliseconds that a write gets more for each item that the keyring holds, and at most: gnome-keyring writes its whole file for each
 * change, which took 170 to 900 ms with 10,000 items on a busy machine. A healthy keyring must not be called hung for that.
 */
const WRITE_EACH = 0.3;
const WRITE_MOST = 3_000;

/** The keyring's items as one call of the backend sees them: all that it does shares one deadline. */
export interface KeyringItems {
  /** The value of an item, for the caller to wipe; undefined if there is none. */
  get(name: ItemName): Promise<Uint8Array | undefined>;
  /** Writes an item, in place of what it holds. Unless `changedNothing`, it may be written after a throw all the same. */
  set(name: ItemName, value: Uint8Array): Promise<void>;
  /** Removes an item. Removing what is not there is no error. */
  remove(name: ItemName): Promise<void>;
  /** The items that keyhold's library has made, from a number on; `next` is where the next page begins, while it is less than `total`. */
  list(from: number): Promise<ItemPage>;
  /** Which of these are there. */
  exist(names: readonly ItemName[]): Promise<readonly boolean[]>;
}

/**
 * Begins a call's dealings with the keyring, which gets `milliseconds` for all of them together. They count from when our
 * own child is up; `asked` is since when the caller waits, and `items` how many the keyring holds of ours: a write gets longer for
 * many. Its methods throw `KeyholdError`s: `backend_locked`, `…hung`, …
 */
export function itemsBy(
  burst: KeyringProcess,
  milliseconds = CALL_DEADLINE,
  asked = performance.now(),
  items = 0,
): KeyringItems {
  const more = Math.min(items * WRITE_EACH, WRITE_MOST);
  let until: number | undefined;

  async function ask(operation: Operation, names: readonly ItemName[], value?: Uint8Array) {
    const parts = names.flatMap(({ service, account }) => [Buffer.from(service), Buffer.from(account)]);
    return requested(operation, value ? [...parts, value] : parts);
  }

  async function requested(operation: Operation, parts: readonly Uint8Array[]) {
    await burst.start(asked);
    until ??= performance.now() + milliseconds;
    const isWrite = operation === 'set' || operation === 'remove';
    const left = Math.max(1, until + (isWrite ? more : 0) - performance.now());
    const answer = await burst.request(operation, parts, left);
    if (answer.outcome === 'ok' || answer.outcome === 'missing') return answer;
    throw faultOf(answer.outcome);
  }

  return {
    async get(name) {
      const { outcome, value } = await ask('get', [name]);
      return outcome === 'ok' ? (value ?? new Uint8Array(0)) : undefined;
    },
    async set(name, value) {
      await ask('set', [name], value);
    },
    async remove(name) {
      await ask('remove', [name]);
    },
    async list(from) {
      const { value } = await requested('list', [Buffer.from(String(from))]);
      if (!value) throw faultOf('failed');
      const { total, next, items } = JSON.parse(Buffer.from(value).toString('utf8'));
      const named = items.map(([service, account, modified]: [string, string, number]) => {
        return { name: { service, account }, modified };
      });
      return { total, next, items: named };
    },
    async exist(names) {
      const { value } = await ask('count', names);
      // No answer about an item is not the answer that it is gone: the caller would forget a credential for that.
      if (value?.length !== names.length) throw faultOf('failed');
      return names.map((_, index) => value[index]! > 0);
    },
  };
}

/** The fault that tells the person how an operation ended, and what to do. */
export function faultOf(outcome: Exclude<Outcome, 'ok' | 'missing'>): KeyholdError {
  switch (outcome) {
    case 'locked':
      return new KeyholdError('backend_locked', 'cannot use the keyring: it is locked; run: keyhold unlock');
    case 'absent':
      return new KeyholdError(
        'backend_absent',
        'cannot reach the keyring: none answers on the session bus; start it, or see: keyhold help backends',
      );
    case 'dismissed':
      return new KeyholdError('backend_dismissed', 'cannot unlock the keyring: its prompt was dismissed');
    case 'ambiguous':
      return new KeyholdError(
        'backend_failed',
        'cannot use a keyring item: others have the same service and username; remove all but one of them',
      );
    case 'too-long':
      return new KeyholdError('backend_failed', 'cannot use a keyring item: it is longer than a secret may be');
    case 'failed':
      return new KeyholdError('backend_failed', 'cannot use the keyring: it refused the operation');
  }
}

/** Whether a fault of one operation says for certain that it changed nothing. */
export function changedNothing(error: unknown): boolean {
  return error instanceof KeyholdError && (error.code === 'backend_locked' || error.code === 'backend_absent');
}
