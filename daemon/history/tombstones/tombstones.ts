import { randomBytes } from 'node:crypto';
import type { Target } from '../../../protocol/credential.ts';
import { KeyholdError } from '../../../protocol/errors.ts';
import type { Secret } from '../../../protocol/secret.ts';
import { release } from '../../access/release.ts';
import type { Held } from '../../backends/backend.ts';
import { disposeSecrets } from '../../backends/secrets.ts';
import type { Clock } from '../../clock.ts';
import type { CredentialStore } from '../../credentials/held/credential-store.ts';
import { TargetIndex } from '../../credentials/unlocked/match.ts';
import type { Entry } from '../../credentials/unlocked/set.ts';
import { agentItself } from '../../socket/caller.ts';
import { purgeErased } from '../erased/erased.ts';
import type { Mark, Marks } from './marks.ts';
import { ownTarget } from './own-records.ts';
import { type Obituary, recordOf, type Tombstone, tombstoneIn } from './tombstone.ts';

/** Tombstones that are kept: years of daily rotation. Beyond that the oldest go. */
export const TOMBSTONES_MAX = 4_096;

/**
 * The tokens that are known to be dead. A tombstone is made by who has made sure that the service takes the token no more, and
 * never by a tool's erase: a server that is out of order refuses tokens that live.
 */
export class Tombstones {
  readonly marks: Marks;
  readonly #credentials: Pick<CredentialStore, 'changes' | 'entries' | 'lifecycle' | 'own' | 'queue' | 'values'>;
  readonly #clock: Clock;
  /** Drawn from the records, and how many changes these had seen then. */
  #drawn = -1;
  #all: readonly Tombstone[] = [];
  #byTarget = new TargetIndex<Tombstone>();

  constructor(
    credentials: Pick<CredentialStore, 'changes' | 'entries' | 'lifecycle' | 'own' | 'queue' | 'values'>,
    marks: Marks,
    clock: Clock,
  ) {
    this.#credentials = credentials;
    this.marks = marks;
    this.#clock = clock;
  }

  /** All of them, the oldest first. */
  all(): readonly Tombstone[] {
    this.#draw();
    return this.#all;
  }

  /** The newest of those that a request for `target` could have meant. */
  find(target: Target, accepts: (tombstone: Tombstone) => boolean = () => true): Tombstone | undefined {
    this.#draw();
    return this.#all.length === 0 ? undefined : this.#byTarget.find(target, accepts);
  }

  /** The tombstone of a value by one of its marks. */
  of(marks: readonly Mark[]): Tombstone | undefined {
    return this.all().findLast(({ mark }) =>
      marks.some(({ key, digits }) => mark?.key === key && mark.digits === digits),
    );
  }

  /** The keys that the marks of tombstones were made with. */
  keys(): ReadonlySet<string> {
    return new Set(this.all().flatMap(({ mark }) => (mark ? [mark.key] : [])));
  }

  /**
   * Notes durably that a credential is dead, and then removes it. Whoever calls has made sure of it. Throws `not_found` if it was
   * removed or replaced meanwhile, and what the backend throws; without a tombstone nothing is removed.
   */
  bury(entry: Entry, obituary: Obituary = {}): Promise<Tombstone> {
    return this.#credentials.queue.run(entry, () => this.#bury(entry, obituary));
  }

  /** Notes durably that a value is dead which stands in no credential any more, and was that of `held`. The secret is borrowed. */
  async entomb(held: Held, secret: Secret, { reason, actor }: Obituary = {}): Promise<Tombstone> {
    const { id: credential, protocol, host, path, username, about, storedAt, expiresAt } = held;
    const known = this.of(await this.marks.marksOf(secret, held, about, this.keys()));
    if (known) return known;
    const { mark } = await this.marks.note(secret, held, about, true);
    const tombstone: Tombstone = {
      ...{ protocol, host, path, username, credential, about, storedAt, expiresAt, reason, actor, mark },
      ...this.#born(),
    };
    await this.#keepStone(tombstone);
    return tombstone;
  }

  /** Forgets that a value is dead, and what was kept to look at it again: somebody insists that it lives. */
  async exhume(tombstone: Tombstone): Promise<void> {
    const { own } = this.#credentials;
    const recheck = own.at(ownTarget('recheck', tombstone.id));
    if (recheck) await own.remove(recheck);
    await own.remove(recordOf(tombstone));
  }

  async #bury(entry: Entry, { reason, actor }: Obituary): Promise<Tombstone> {
    this.#credentials.lifecycle.refuseLocked('bury');
    const now = this.#credentials.entries.at(entry);
    if (now?.id !== entry.id) {
      throw new KeyholdError('not_found', 'cannot bury: the credential was removed meanwhile');
    }
    const { id: credential, protocol, host, path, username, about, storedAt, expiresAt } = now;
    const tombstone: Tombstone = {
      ...{ protocol, host, path, username, credential, about, storedAt, expiresAt, reason, actor },
      ...this.#born(),
      mark: await this.#markOf(now),
    };
    await this.#keepStone(tombstone, () => this.#credentials.changes.remove(now));
    return tombstone;
  }

  #born() {
    return { id: randomBytes(10).toString('hex'), revokedAt: this.#clock.now() };
  }

  async #keepStone(tombstone: Tombstone, then = async () => {}): Promise<void> {
    await this.#credentials.own.put(recordOf(tombstone));
    await then();
    // A value that is dead is not brought back by mistake. If the backend fails, restoring it is refused by the tombstone.
    await purgeErased(this.#credentials.own, tombstone).catch(() => {});
    for (const old of this.all().slice(0, -TOMBSTONES_MAX)) await this.exhume(old);
  }

  async #markOf(entry: Entry): Promise<Mark | undefined> {
    const secrets = await release(this.#credentials.values, entry, agentItself, 'mark');
    try {
      if (!secrets?.secret) return undefined;
      return (await this.marks.note(secrets.secret, entry, entry.about, true)).mark;
    } finally {
      if (secrets) disposeSecrets(secrets);
    }
  }

  #draw(): void {
    const { own } = this.#credentials;
    if (own.changes === this.#drawn) return;
    this.#drawn = own.changes;
    this.#all = own.of('tombstone').flatMap((record) => tombstoneIn(record) ?? []);
    this.#byTarget = new TargetIndex();
    for (const tombstone of this.#all) this.#byTarget.add(tombstone);
  }
}
