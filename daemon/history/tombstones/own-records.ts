import { identityOf, OWN_PROTOCOL, type Target } from '../../../protocol/credential.ts';
import type { Secret } from '../../../protocol/secret.ts';
import { type Backend, ERASED, type Held } from '../../backends/backend.ts';

export type OwnKind =
  | 'mark-key'
  | 'tombstone'
  | 'recheck'
  | 'rotation'
  | 'rotation-old'
  | 'rotation-new'
  /** What an erase took away (erased/). */
  | typeof ERASED
  /** How much time has passed for certain since the first erase. */
  | 'erased-clock'
  /** Which account git used in a repository (accounts.ts). */
  | 'approved';

/**
 * Kinds that no backup holds: a value in it could not be deleted there when its time has come, and the folders of one machine say
 * nothing on another.
 */
const notInBackups: readonly OwnKind[] = ['recheck', ERASED, 'erased-clock', 'approved'];
/** Kinds with a value that must not stay behind where everything was carried elsewhere. */
const values: readonly OwnKind[] = ['recheck', ERASED];

/** Where a record of our own rests. */
export function ownTarget(kind: OwnKind, name: string): Target {
  return { protocol: OWN_PROTOCOL, host: kind, path: name };
}

/** Whether a record is one of ours, of that kind if one is named, and no credential. */
export function isOwn({ protocol, host }: Target, kind?: OwnKind): boolean {
  return protocol === OWN_PROTOCOL && (kind === undefined || host === kind);
}

/** Whether a record of ours goes into backups, and is taken back in from one. */
export function isBackedUp({ host }: Target): boolean {
  return !notInBackups.some((kind) => kind === host);
}

/** Whether a record of ours has a value that must not stay where it was carried from. */
export function isValue({ host }: Target): boolean {
  return values.some((kind) => kind === host);
}

/**
 * What we keep ourselves among the credentials, in the same backend and under the same seals: it is carried, backed up
 * and locked with them. Nothing here is ever listed, counted or served as a credential.
 */
export class OwnRecords {
  readonly #backend: (verb: string) => Backend;
  #records = new Map<string, Held>();
  readonly #secrets = new Map<string, Secret>();
  #changes = 0;

  /** `backend` answers the one in use at the moment, or throws why nothing may be done with it. */
  constructor(backend: (verb: string) => Backend) {
    this.#backend = backend;
  }

  /** Goes up with every change, so that who has drawn something from the records knows when to draw it again. */
  get changes(): number {
    return this.#changes;
  }

  all(): readonly Held[] {
    return [...this.#records.values()];
  }

  /** Those of one kind, the oldest first. */
  of(kind: OwnKind): readonly Held[] {
    const found = this.all().filter(({ host }) => host === kind);
    return found.sort((one, other) => one.storedAt - other.storedAt);
  }

  has(target: Target): boolean {
    return this.at(target) !== undefined;
  }

  at(target: Target): Held | undefined {
    return this.#records.get(identityOf(target));
  }

  /** Learns what rests, and answers what of it is credentials. */
  learn(all: readonly Held[]): Held[] {
    this.clear();
    const credentials: Held[] = [];
    for (const held of all) {
      if (isOwn(held)) this.#records.set(identityOf(held), held);
      else credentials.push(held);
    }
    return credentials;
  }

  /** Keeps a record durably. Its secret becomes ours. */
  async put(held: Held, secret?: Secret): Promise<void> {
    try {
      await this.#backend('store').put(held, { secret });
    } catch (error) {
      secret?.dispose();
      throw error;
    }
    this.#keep(held);
    if (secret) this.#secrets.set(identityOf(held), secret);
  }

  /** The same, and the secret stays at rest alone. It is borrowed. */
  async putAside(held: Held, secret: Secret): Promise<void> {
    await this.#backend('store').put(held, { secret });
    this.#keep(held);
  }

  /** Replaces what is known of a record and leaves its secret as it rests. What was removed stays so. */
  async annotate(held: Held): Promise<void> {
    await this.#backend('change').annotate(held);
    if (this.at(held)) this.#keep(held);
  }

  async remove(held: Held): Promise<void> {
    await this.#backend('erase').remove(held);
    this.noteGone(held);
  }

  /** Notes a record that the backend has put by itself, with its secret at rest alone. */
  noteMoved(held: Held): void {
    this.#keep(held);
  }

  /** Notes that the backend has moved a record elsewhere. */
  noteGone(held: Held): void {
    this.#forget(identityOf(held));
    this.#records.delete(identityOf(held));
    this.#changes++;
  }

  /** The secret of a record, borrowed and read once; undefined if it is gone. */
  async secretOf(held: Held): Promise<Secret | undefined> {
    const identity = identityOf(held);
    const known = this.#secrets.get(identity);
    if (known) return known;
    const changes = this.#changes;
    const read = await this.#backend('read').get(held);
    read?.refreshToken?.dispose();
    const earlier = this.#secrets.get(identity);
    // Locked, or read by another, while we waited.
    if (!read?.secret || earlier || changes !== this.#changes) {
      read?.secret?.dispose();
      return earlier ?? (changes === this.#changes ? undefined : this.secretOf(held));
    }
    this.#secrets.set(identity, read.secret);
    return read.secret;
  }

  /** The same of one that was put aside: the caller's to dispose of, and nothing of it stays in memory. */
  async secretAside(held: Held): Promise<Secret | undefined> {
    const read = await this.#backend('read').get(held);
    read?.refreshToken?.dispose();
    return read?.secret;
  }

  /** Wipes what is in memory. */
  clear(): void {
    for (const identity of [...this.#secrets.keys()]) this.#forget(identity);
    this.#records.clear();
    this.#changes++;
  }

  #keep(held: Held): void {
    const identity = identityOf(held);
    this.#forget(identity);
    this.#records.set(identity, held);
    this.#changes++;
  }

  #forget(identity: string): void {
    this.#secrets.get(identity)?.dispose();
    this.#secrets.delete(identity);
  }
}
