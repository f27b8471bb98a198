import type { About } from '../../protocol/about.ts';
import { type EpochSeconds, OWN_PROTOCOL, type Target } from '../../protocol/credential.ts';
import type { Made } from '../../protocol/made.ts';
import type { Secret } from '../../protocol/secret.ts';
import type { Progress } from '../slices.ts';

/** Everything about a credential but its secrets: what is held, for whom, since when. */
export type Held = Target & {
  /** Random, given at the first store and kept when the secret is replaced. Never derived from a value. */
  readonly id: string;
  readonly authtype?: string | undefined;
  readonly expiresAt?: EpochSeconds | undefined;
  readonly storedAt: EpochSeconds;
  /** What is known of it beside that; records from before it was noted have none. */
  readonly about?: About | undefined;
  /** How it came to be held; absent in records of version 0.1 until `credentials/decide.ts` or a store decides it. */
  readonly made?: Made | undefined;
  /** The fronts whose `list` shows it (DESIGN.md §2), a set; empty: none. Absent: not decided yet. */
  readonly fronts?: readonly string[] | undefined;
  /** It came in through fronts alone: it goes with their last mark, and is no other tool's first answer. */
  readonly frontOnly?: boolean | undefined;
  /** What may be displayed of the value: the beginning that every token of its kind has. */
  readonly shown?: string | undefined;
};

/** The record of what is held, out of anything that has more than that, such as an entry of the unlocked set. */
export function heldOf(from: Held): Held {
  const { protocol, host, path, username, front, id, authtype, expiresAt, storedAt, about } = from;
  const { made, fronts, frontOnly, shown } = from;
  const target = { protocol, host, path, username, front };
  return { ...target, id, authtype, expiresAt, storedAt, about, made, fronts, frontOnly, shown };
}

/** The host of those that lie in the restore bin. */
export const ERASED = 'erased';

/**
 * Whether a record lies in the restore bin. Its secrets rest sealed in a file of ours with every backend, also with one that
 * hands the secrets of credentials to another program.
 */
export function isErased({ protocol, host }: Target): boolean {
  return protocol === OWN_PROTOCOL && host === ERASED;
}

export type Secrets = { readonly secret?: Secret | undefined; readonly refreshToken?: Secret | undefined };

/** Something that is worse than it could be, and how to better it. */
export type Degradation = { readonly code: string; readonly what: string; readonly remedy: string };

export const backendNames = ['keyring', 'vault', 'memory'] as const;
export type BackendName = (typeof backendNames)[number];

export function isBackendName(text: string): text is BackendName {
  return (backendNames as readonly string[]).includes(text);
}

/** How `unlock` may get at a key. */
export type UnlockMeans = {
  readonly passphrase?: Secret | undefined;
  /** Whether the desktop may ask the person. */
  readonly mayPrompt: boolean;
};

/**
 * Where credentials rest. Every call is bounded in time and throws `KeyholdError`s only: `backend_locked` (unlock
 * helps), `backend_hung` and `backend_absent` (try later), `backend_dismissed` (the person said no), `backend_full`
 * and `backend_failed` (nothing was changed), and the vault's own. Calls may overlap; two for one target are made in
 * their order. test/contracts/backend.ts is what all members must pass.
 */
export interface Backend {
  readonly name: BackendName;
  /** Whether what was put survives the process. */
  readonly durable: boolean;
  /** Whether the key comes from a passphrase: such a backend locks when its lease ends and needs the person again. */
  readonly needsPassphrase: boolean;

  /** What `status` and `doctor` should say about it, now. */
  degradations(): readonly Degradation[];
  /** Everything that rests here. The agent asks once after opening or unlocking, and keeps the answer. */
  list(progress?: Progress): Promise<readonly Held[]>;
  /**
   * What rests for a protocol and host, asked while `list` is still reading: it may wait for a part of that. Undefined where
   * this backend learns it from the whole list only, as does one without the function.
   */
  heldFor?(target: Target): Promise<readonly Held[] | undefined>;
  /** The secrets of a held credential, the caller's to dispose of; undefined if they are gone. */
  get(held: Held): Promise<Secrets | undefined>;
  /** Keeps it, in place of what rests for the same target. Settles when it is durable. The secrets are borrowed. */
  put(held: Held, secrets: Secrets): Promise<void>;
  /** The same for many, where that is faster than one after the other. Each is durable once the promise settles. */
  putAll?(items: Iterable<{ readonly held: Held; readonly secrets: Secrets }>, progress?: Progress): Promise<void>;
  /** Replaces what is known of a held credential and leaves its secrets. Durable; of what is gone it does nothing. */
  annotate(held: Held): Promise<void>;
  /** Removes it for good. Removing what is gone already is no error. */
  remove(held: Held): Promise<void>;
  /**
   * Moves a credential into the restore bin or out of it: afterwards the secrets of `from` rest for `to`, in place of what
   * rested there, and `from` is gone. One of the two is a record of the bin. In one durable step: cut anywhere, the secrets
   * rest for `from` or for `to`, and a credential that was moved into the bin is never listed again. False if `from` is not
   * there; then nothing has changed.
   */
  move(from: Held, to: Held): Promise<boolean>;
  /** Makes its key available. With the key at hand already it does nothing. */
  unlock(means: UnlockMeans): Promise<void>;
  /** Wipes its key. */
  lock(): void;
  /** Releases everything; what was acknowledged stays. */
  dispose(): Promise<void>;
}
