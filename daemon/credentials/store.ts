import { randomBytes } from 'node:crypto';
import { type About, aboutPlace, mergeAbout, saysMore } from '../../protocol/about.ts';
import type { Target } from '../../protocol/credential.ts';
import type { CredentialReply, DecodedRequest } from '../../protocol/handler.ts';
import { madeAfter } from '../../protocol/made.ts';
import type { Secret } from '../../protocol/secret.ts';
import { release } from '../access/release.ts';
import type { Held } from '../backends/backend.ts';
import type { Clock } from '../clock.ts';
import type { Emit } from '../events/agent-event.ts';
import { refusalOf } from '../history/tombstones/tombstone.ts';
import type { Tombstones } from '../history/tombstones/tombstones.ts';
import type { Caller } from '../socket/caller.ts';
import type { Accounts } from './accounts.ts';
import { type FrontSlot, frontSlot } from './front-slot.ts';
import { asHeld, type GitUsername } from './git-form.ts';
import type { CredentialStore } from './held/credential-store.ts';
import { isSame } from './meant.ts';
import { newestDate, slotOf } from './slot.ts';
import { overtakenReply, standsAsSeen } from './standing.ts';
import type { Entry } from './unlocked/set.ts';

/** The answer to a store that changed nothing. */
const unchanged: CredentialReply = { status: 'ok', isUnrecorded: true };

export type StoreParts = {
  readonly credentials: Pick<CredentialStore, 'changes' | 'entries' | 'leases' | 'lifecycle' | 'queue' | 'values'>;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly tombstones: Tombstones;
  /** Which account is used in which repository. */
  readonly accounts: Pick<Accounts, 'approve'>;
  readonly gitUsername: GitUsername;
};

/** Keeps what tools and people store. */
export class Store {
  readonly #credentials: Pick<CredentialStore, 'changes' | 'entries' | 'leases' | 'lifecycle' | 'queue' | 'values'>;
  readonly #clock: Clock;
  readonly #emit: Emit;
  readonly #tombstones: Tombstones;
  readonly #accounts: StoreParts['accounts'];
  readonly #gitUsername: GitUsername;

  constructor({ credentials, clock, emit, tombstones, accounts, gitUsername }: StoreParts) {
    this.#credentials = credentials;
    this.#clock = clock;
    this.#emit = emit;
    this.#tombstones = tombstones;
    this.#accounts = accounts;
    this.#gitUsername = gitUsername;
  }

  async store(given: DecodedRequest, caller: Caller): Promise<CredentialReply> {
    const refusal = await this.#credentials.lifecycle.refusal();
    if (refusal) return refusal;
    // git says store with nothing to keep, with what must not be kept, and with what is dead already: all are heard.
    if (given.secret === undefined) return unchanged;
    if (given.ephemeral) return unchanged;
    if (given.expiresAt !== undefined && given.expiresAt <= this.#clock.now()) return unchanged;
    const request = given.tool === 'git' ? await asHeld(this.#credentials, given, this.#gitUsername, caller) : given;
    // The request's own secrets end with the request; a store waits for its turn and for the disk.
    const target = slotOf(this.#credentials.entries, request);
    const reply = await this.#credentials.queue.run(target, async (): Promise<CredentialReply> => {
      const { onlyOver } = request;
      if (onlyOver && !(await standsAsSeen(this.#credentials, this.#credentials.entries.at(target), onlyOver, caller)))
        return overtakenReply;
      const slot = await frontSlot(this.#credentials, target, request, caller);
      if ('marked' in slot) return slot.marked ? { status: 'ok', ids: [slot.marked] } : unchanged;
      return this.#keepCredential(slot, request, caller);
    });
    if (reply.status === 'ok') this.#accounts.approve(request);
    return reply;
  }

  /** Answers the id of what is kept now; none if nothing changed. */
  async #keepCredential(
    { target, fronts, frontOnly }: FrontSlot,
    request: DecodedRequest,
    caller: Caller,
  ): Promise<CredentialReply> {
    const before = this.#credentials.entries.at(target);
    const now =
      before &&
      this.#credentials.leases.isServable(before) &&
      release(this.#credentials.values, before, caller, 'match');
    const repeated = before && now && isSame(before, now, request) ? before : undefined;
    if (repeated) {
      // git repeats what it was just given after every success: nothing to write, and nothing that it left out is lost.
      this.#credentials.leases.touch(repeated);
      const isSaid = request.about !== undefined && saysMore(repeated.about, request.about);
      const isMade = madeAfter(repeated.made, request.made, true) !== (repeated.made ?? 'tool');
      // A tool that stores it again has just used it: what its service said is over.
      const isNews = isSaid || isMade || repeated.about?.ended !== undefined || repeated.frontOnly !== frontOnly;
      if (repeated.resting && request.timeout === undefined && !isNews) return unchanged;
    }
    const secret = request.secret!;
    if (before?.about?.oauth && !request.about && !request.force && (await this.#isOld(secret, request, before)))
      return unchanged;
    const noted = await this.#note(secret, target, request, before);
    if ('status' in noted) return noted;
    const held: Held = {
      ...target,
      id: before?.id ?? randomBytes(10).toString('hex'),
      authtype: request.authtype,
      expiresAt: request.expiresAt ?? (repeated || noted.isSameValue ? before!.expiresAt : undefined),
      storedAt: newestDate(this.#credentials.entries, this.#clock, target),
      about: noted.about,
      made: madeAfter(before?.made, request.made, repeated !== undefined || noted.isSameValue),
      fronts,
      frontOnly,
      shown: noted.about?.prefix,
    };
    const isThere = repeated !== undefined && this.#credentials.leases.isServable(repeated);
    const known = isThere ? release(this.#credentials.values, repeated, caller, 'match').refreshToken : undefined;
    const secrets = { secret, refreshToken: request.refreshToken ?? known };
    const { changes } = this.#credentials;
    if (request.timeout === undefined) await changes.put(held, secrets);
    else await changes.putInMemory(held, secrets, request.timeout);
    this.#emit({ kind: before && !repeated ? 'rotated' : 'stored', id: held.id });
    // What lives in memory only and lives on there is the same as before.
    return repeated && !repeated.resting ? unchanged : { status: 'ok', ids: [held.id] };
  }

  /** A tool stores what it was given some time ago: the token was refreshed since, and this one is no news. */
  async #isOld(secret: Secret, { expiresAt }: DecodedRequest, before: Entry): Promise<boolean> {
    if (expiresAt !== undefined && before.expiresAt !== undefined && expiresAt <= before.expiresAt) return true;
    const { about } = await this.#tombstones.marks.note(secret, before, before.about, false);
    const { fingerprint, oauth } = before.about ?? {};
    return about.fingerprint !== undefined && [fingerprint, ...(oauth?.earlier ?? [])].includes(about.fingerprint);
  }

  /** What is known of the token from now on; or why it is not kept: it is known to be dead. */
  async #note(
    secret: Secret,
    target: Target,
    { about = {}, force, timeout }: DecodedRequest,
    before: Entry | undefined,
  ): Promise<CredentialReply | { readonly about: About | undefined; readonly isSameValue: boolean }> {
    const { marks } = this.#tombstones;
    const known = mergeAbout(before?.about && aboutPlace(before.about), about);
    const { about: seen } = await marks.note(secret, target, known, timeout === undefined);
    const tombstone = this.#tombstones.of(await marks.marksOf(secret, target, known, this.#tombstones.keys()));
    if (tombstone && !force) return refusalOf(tombstone);
    if (tombstone) await this.#tombstones.exhume(tombstone);
    const isSameValue = seen.fingerprint !== undefined && before?.about?.fingerprint === seen.fingerprint;
    const all = isSameValue ? mergeAbout(before?.about, { ...about, ended: undefined }) : known;
    const { tokenId = all?.tokenId, ...rest } = seen;
    return { about: mergeAbout(all, { ...rest, tokenId }), isSameValue };
  }
}
