import { identityOf, type Target } from '../../protocol/credential.ts';
import type { Secret } from '../../protocol/secret.ts';
import type { Backend, Held } from '../backends/backend.ts';

/** No scheme begins with a dot, so that no request can name one of these (protocol/credential.ts). */
const OWN = '.keyhold';

export type OwnKind = 'mark-key' | 'tombstone' | 'rotation' | 'rotation-old' | 'rotation-new';

/** Where a record of our own rests. */
export function ownTarget(kind: OwnKind, name: string): Target {
  return { protocol: OWN, host: kind, path: name };
}

/** Whether a record is one of ours and no credential. */
export function isOwn({ protocol }: Target): boolean {
  return protocol === OWN;
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
    return this.#records.has(identityOf(target));
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
    const identity = identityOf(held);
    try {
      await this.#backend('store').put(held, { secret });
    } catch (error) {
      secret?.dispose();
      throw error;
    }
    this.#forget(identity);
    this.#records.set(identity, held);
    if (secret) this.#secrets.set(identity, secret);
    this.#changes++;
  }

  async remove(held: Held): Promise<void> {
    await this.#backend('erase').remove(held);
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

  /** Wipes what is in memory. */
  clear(): void {
    for (const identity of [...this.#secrets.keys()]) this.#forget(identity);
    this.#records.clear();
    this.#changes++;
  }

  #forget(identity: string): void {
    this.#secrets.get(identity)?.dispose();
    this.#secrets.delete(identity);
  }
}
