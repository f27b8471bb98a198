import type { CredentialReply, DecodedRequest, Detail } from '../../protocol/handler.ts';
import { release } from '../access/release.ts';
import type { Emit } from '../events/agent-event.ts';
import { purgeErased } from '../history/erased/erased.ts';
import type { RestoreBin } from '../history/erased/restore-bin.ts';
import { dropAccess } from '../oauth/drop-access.ts';
import type { Caller } from '../socket/caller.ts';
import type { Accounts } from './accounts.ts';
import { mayErase } from './front-slot.ts';
import { isListedBy, withoutFront } from './fronts.ts';
import { asHeld, type GitUsername } from './git-form.ts';
import type { CredentialStore } from './held/credential-store.ts';
import { isMeant } from './meant.ts';
import type { RoundState } from './round.ts';
import type { Entry } from './unlocked/set.ts';

const notFound: CredentialReply = { status: 'not-found', message: 'no credential is held for this target' };

export type EraseParts = {
  readonly credentials: Pick<
    CredentialStore,
    'changes' | 'entries' | 'leases' | 'lifecycle' | 'own' | 'queue' | 'values'
  >;
  readonly emit: Emit;
  /** Where an erased credential goes. */
  readonly bin: RestoreBin;
  readonly accounts: Pick<Accounts, 'erased'>;
  readonly round: RoundState;
  /** Whether logins are refreshed: then a tool that was refused takes away the access token only. */
  readonly refreshes: boolean;
  readonly gitUsername: GitUsername;
};

/** Takes away what tools and people erase. */
export class Erase {
  readonly #credentials: Pick<
    CredentialStore,
    'changes' | 'entries' | 'leases' | 'lifecycle' | 'own' | 'queue' | 'values'
  >;
  readonly #emit: Emit;
  readonly #bin: RestoreBin;
  readonly #accounts: EraseParts['accounts'];
  readonly #round: RoundState;
  readonly #refreshes: boolean;
  readonly #gitUsername: GitUsername;

  constructor({ credentials, emit, bin, accounts, round, refreshes, gitUsername }: EraseParts) {
    this.#credentials = credentials;
    this.#emit = emit;
    this.#bin = bin;
    this.#accounts = accounts;
    this.#round = round;
    this.#refreshes = refreshes;
    this.#gitUsername = gitUsername;
  }

  /** Takes away what matches, into the restore bin; with `isForGood` also out of that. */
  async erase(given: DecodedRequest, caller: Caller, isForGood = false): Promise<CredentialReply> {
    const refusal = await this.#credentials.lifecycle.refusal();
    if (refusal) return refusal;
    const request = given.tool === 'git' ? await asHeld(this.#credentials, given, this.#gitUsername, caller) : given;
    if (request.front !== undefined) return this.#eraseForFront(request, request.front, caller);
    const served = this.#round.read(request.state ?? []);
    const candidates = this.#credentials.entries
      .findAll(request.target!)
      .filter((entry) => isMeant(entry, request) && (served === undefined || entry.id === served))
      .filter((entry) => mayErase(request, entry));
    const removed: Entry[] = [];
    for (const candidate of candidates) {
      // Each waits for its turn and for the disk: meanwhile all may have been locked or carried to another backend.
      const refusedMeanwhile = await this.#credentials.lifecycle.refusal();
      if (refusedMeanwhile) return refusedMeanwhile;
      const wasErased = await this.#credentials.queue.run(candidate, () =>
        this.#eraseOne(candidate, request, caller, isForGood),
      );
      if (wasErased) removed.push(candidate);
    }
    const purged = isForGood ? await this.#bin.purge(request.target!, request.id) : 0;
    if (removed.length === 0 && purged === 0) return notFound;
    this.#accounts.erased(request, removed);
    const ids = removed.map(({ id }) => id);
    return {
      status: 'ok',
      ids,
      removed: removed.map(({ id, protocol, host, username }) => ({ id, protocol, host, username })),
      details: [['erased', String(removed.length)], ...(purged > 0 ? [['purged', String(purged)] as const] : [])],
    };
  }

  /**
   * A front erases what it lists: its mark, and the credential with the last of them where no other tool brought it. What is
   * not decided stays, and is named in `undecided[]`.
   */
  async #eraseForFront(request: DecodedRequest, front: string, caller: Caller): Promise<CredentialReply> {
    const meant = this.#credentials.entries.findAll(request.target!).filter((entry) => isMeant(entry, request));
    const done: Entry[] = [];
    for (const candidate of meant.filter((entry) => isListedBy(entry, front))) {
      const refusedMeanwhile = await this.#credentials.lifecycle.refusal();
      if (refusedMeanwhile) return refusedMeanwhile;
      const isDone = await this.#credentials.queue.run(candidate, () =>
        this.#takeMark(candidate, request, front, caller),
      );
      if (isDone) done.push(candidate);
    }
    const undecided = meant.filter((entry) => entry.front === undefined && entry.fronts === undefined);
    const details = undecided.map(({ id }): Detail => ['undecided[]', id]);
    if (done.length === 0) return { ...notFound, details };
    const removed = done.map(({ id, protocol, host, username }) => ({ id, protocol, host, username }));
    const erased: Detail = ['erased', String(done.length)];
    return { status: 'ok', ids: done.map(({ id }) => id), removed, details: [erased, ...details] };
  }

  /** In the turn of its target. True if the front does not list it any more. */
  async #takeMark(candidate: Entry, request: DecodedRequest, front: string, caller: Caller): Promise<boolean> {
    const entry = this.#credentials.entries.at(candidate);
    if (entry?.id !== candidate.id) return false;
    const left = withoutFront(entry, front);
    if (left === 'gone') return this.#eraseOne(entry, request, caller, false);
    await this.#credentials.changes.amend(entry, left);
    return true;
  }

  /** True if it was this secret, or any if none was named, and is gone in memory and at rest. */
  async #eraseOne(
    candidate: Entry,
    { secret, id, tool }: DecodedRequest,
    caller: Caller,
    isForGood: boolean,
  ): Promise<boolean> {
    this.#credentials.lifecycle.refuseLocked('erase');
    const entry = this.#credentials.entries.at(candidate);
    if (entry?.id !== candidate.id) return false;
    if (secret) {
      if (!this.#credentials.leases.isServable(entry)) await this.#credentials.values.obtain(entry);
      if (!this.#credentials.leases.isServable(entry)) return false;
      if (!release(this.#credentials.values, entry, caller, 'match').secret?.equals(secret)) return false;
    }
    // A tool was refused with an access token. Whether the login is over its provider says, not a tool; and one that is over
    // is known until a person has seen to it.
    if (id === undefined && entry.about?.oauth && this.#refreshes) await dropAccess(this.#credentials, entry, caller);
    else if (isForGood) {
      await this.#credentials.changes.remove(entry);
      await purgeErased(this.#credentials.own, { ...entry, about: undefined });
    } else await this.#bin.erase(entry, tool);
    this.#emit({ kind: 'erased', id: entry.id });
    return true;
  }
}
