import { randomBytes } from 'node:crypto';
import { type About, aboutPlace, mergeAbout, saysMore } from '../protocol/about.ts';
import { accountsOf } from '../protocol/choice.ts';
import type { Target } from '../protocol/credential.ts';
import type { CredentialReply, DecodedRequest, Detail } from '../protocol/handler.ts';
import { madeAfter } from '../protocol/made.ts';
import type { Profiles } from '../protocol/profiles.ts';
import type { Secret } from '../protocol/secret.ts';
import { fromWire } from '../protocol/text.ts';
import { release } from './access/release.ts';
import type { Accounts } from './accounts.ts';
import type { Held } from './backends/backend.ts';
import type { Clock } from './clock.ts';
import type { Custody } from './custody.ts';
import { endedReply } from './ended.ts';
import { purgeErased } from './erased/erased.ts';
import type { RestoreBin } from './erased/restore-bin.ts';
import type { Emit } from './events/agent-event.ts';
import { explain } from './explain.ts';
import { type FrontSlot, frontSlot, mayErase } from './front-slot.ts';
import { FARTHEST, isListedBy, rankFor, withoutFront } from './fronts.ts';
import { IoDeadline } from './io-deadline.ts';
import { acceptorOf, isExpired, isMeant, isSame } from './meant.ts';
import { type Preference, preferenceOf } from './profiles.ts';
import { RoundState } from './round.ts';
import { newestDate, slotOf } from './slot.ts';
import type { Caller } from './socket/caller.ts';
import { overtakenReply, standsAsSeen } from './standing.ts';
import { refusalOf, revokedReply, type Tombstone } from './tombstones/tombstone.ts';
import type { Tombstones } from './tombstones/tombstones.ts';
import type { Entry } from './unlocked/set.ts';
import { dropAccess } from './upstream/drop-access.ts';
import { inTime } from './upstream/refresh-outcome.ts';
import type { Refresher } from './upstream/refresher.ts';
import type { Need, Waiters } from './waiters.ts';

const notFound: CredentialReply = { status: 'not-found', message: 'no credential is held for this target' };
const expiredReply: CredentialReply = {
  status: 'expired',
  message: 'the credential is past its expiry; store a new one',
};
const tooShort: CredentialReply = {
  status: 'expired',
  message: 'the credential lives shorter than it is asked to, also when it is new',
};
/** The answer to a store that changed nothing. */
const unchanged: CredentialReply = { status: 'ok', isUnrecorded: true };

/** Milliseconds that a get waits for a backend that is being opened: less than any client of ours waits for its answer. */
const OPENING_WAIT = 4_000;

export type AgentParts = {
  readonly custody: Custody;
  readonly clock: Clock;
  readonly emit: Emit;
  /** Those of the moment. */
  readonly profiles: () => Profiles;
  readonly tombstones: Tombstones;
  readonly waiters: Waiters;
  /** Where an erased credential goes. */
  readonly bin: RestoreBin;
  /** Which account is used in which repository. */
  readonly accounts: Accounts;
  /** Without it a login is served as long as it lives. */
  readonly refresher?: Refresher | undefined;
  /** Whether somebody is signing in for a target. */
  readonly isSigningIn?: ((target: Target) => boolean) | undefined;
};

/**
 * The way of a request: find what it names, decide, obtain the secret, record, answer. The three verbs of credentials
 * are here; what is held and whether it may be served is custody.ts, and management is manage.ts.
 */
export class Agent {
  readonly #custody: Custody;
  readonly #clock: Clock;
  readonly #emit: Emit;
  readonly #profiles: () => Profiles;
  readonly #tombstones: Tombstones;
  readonly #refresher: Refresher | undefined;
  readonly #bin: RestoreBin;
  readonly #accounts: Accounts;
  readonly #round = new RoundState();

  readonly #waiters: Waiters;
  readonly #isSigningIn: (target: Target) => boolean;

  constructor({
    custody,
    clock,
    emit,
    profiles,
    tombstones,
    waiters,
    bin,
    accounts,
    refresher,
    isSigningIn,
  }: AgentParts) {
    this.#refresher = refresher;
    this.#tombstones = tombstones;
    this.#custody = custody;
    this.#clock = clock;
    this.#emit = emit;
    this.#profiles = profiles;
    this.#waiters = waiters;
    this.#bin = bin;
    this.#accounts = accounts;
    this.#isSigningIn = isSigningIn ?? (() => false);
  }

  /** What is open and in memory is answered at once; everything else waits in the methods behind this one. */
  get(request: DecodedRequest, caller: Caller): Promise<CredentialReply> {
    const { wait } = request;
    if (wait === undefined || request.interactive === false) return this.#getNow(request, caller);
    return this.#waiters.attend(
      wait,
      () => this.#getNow(request, caller),
      (reply) => this.#needOf(reply, request),
    );
  }

  #getNow(request: DecodedRequest, caller: Caller): Promise<CredentialReply> {
    if (!this.#custody.isServing && !this.#custody.isServingHost(request.target!))
      return this.#getWhenOpen(request, caller);
    return this.#getChosen(request, caller);
  }

  #answer(found: Entry | undefined, request: DecodedRequest, caller: Caller): Promise<CredentialReply> {
    if (!found) return Promise.resolve(this.#missing(request));
    if (found.about?.oauth !== undefined && this.#refresher !== undefined)
      return this.#answerRefreshed(found, request, caller);
    const expired = isExpired(found, this.#clock, request.minTtl);
    if (expired && request.capabilities.keyhold) return Promise.resolve(endedReply(found) ?? expiredReply);
    if (!this.#custody.isServable(found)) return this.#getWhenRead(found, request, caller);
    return Promise.resolve(this.#serve(found, request, caller));
  }

  /** A token of a login: what lives is given at once, what is due is refreshed behind that, and what is over before it. */
  #answerRefreshed(found: Entry, request: DecodedRequest, caller: Caller): Promise<CredentialReply> {
    const phase = this.#refresher!.look(found, request.minTtl);
    const isOver = phase === 'closing' || phase === 'dead' || found.about?.ended !== undefined;
    if (isOver) return this.#getWhenRefreshed(found, request, caller);
    if (!this.#custody.isServable(found)) return this.#getWhenRead(found, request, caller);
    return Promise.resolve(this.#serve(found, request, caller));
  }

  /** Waits for the one refresh. */
  async #getWhenRefreshed(found: Entry, request: DecodedRequest, caller: Caller): Promise<CredentialReply> {
    const outcome = await inTime(this.#refresher!.refresh(found));
    if (!this.#isServing(request) || this.#custody.at(found) !== found) return this.#getNow(request, caller);
    const isLive =
      !isExpired(found, this.#clock, request.minTtl) && this.#refresher!.look(found, request.minTtl) !== 'dead';
    if (!isLive) return outcome.status === 'failed' ? outcome.reply : tooShort;
    if (!this.#custody.isServable(found)) await this.#custody.obtain(found);
    return this.#isServing(request) && this.#custody.isServable(found) ? this.#serve(found, request, caller) : notFound;
  }

  /** What only a person could do about an answer; undefined where that is nothing, or nobody is at it. */
  #needOf({ status }: CredentialReply, request: DecodedRequest): Need | undefined {
    if (status === 'locked') return 'unlock';
    const { target } = request;
    if (status === 'ok' || status === 'bad-request' || !target) return undefined;
    if (this.#isSigningIn(target)) return 'under-way';
    if (status !== 'interaction-required') return undefined;
    const found = this.#choose(request, this.#preferenceOf(request));
    return found && { id: found.id };
  }

  /** Nothing is held for a target: did it die by revocation? */
  #missing({ target, exactPath, id }: DecodedRequest): CredentialReply {
    const isMeant = ({ path, credential }: Tombstone) =>
      (id === undefined || credential === id) && (!exactPath || path === target!.path);
    const tombstone = this.#tombstones.find(target!, isMeant);
    return tombstone ? revokedReply(tombstone) : notFound;
  }

  /** What a get would be answered with, and why. It reads nothing from the backend and extends no lease. */
  async explain(request: DecodedRequest): Promise<CredentialReply> {
    await this.#custody.settled();
    const { isServing, state, failure, backend } = this.#custody;
    const { protocol, host } = request.target!;
    const preference = this.#preferenceOf(request);
    const details = explain({
      target: request.target!,
      preference,
      offersAuthtype: request.capabilities.authtype,
      minTtl: request.minTtl ?? 0,
      exactPath: request.exactPath ?? false,
      now: this.#clock.now(),
      candidates: this.#custody.findAll({ protocol, host }).map((entry) => ({
        held: entry,
        leaseLeft: this.#custody.leaseLeft(entry),
        memoryOnly: entry.resting === undefined,
        refresh: entry.about?.oauth && this.#refresher?.stateOf(entry),
      })),
      chosen: this.#choose(request, preference),
      isRevoked: this.#tombstones.find(request.target!) !== undefined,
      agent: {
        state: state === 'open' && !isServing ? 'locked' : state,
        failure: failure?.status,
        backend: backend?.name ?? 'none',
        needsPassphrase: backend?.needsPassphrase ?? false,
      },
    });
    return { status: 'ok', details };
  }

  async store(request: DecodedRequest, caller: Caller): Promise<CredentialReply> {
    const refusal = await this.#custody.refusal();
    if (refusal) return refusal;
    // git says store with nothing to keep, with what must not be kept, and with what is dead already: all are heard.
    if (request.secret === undefined) return unchanged;
    if (request.ephemeral) return unchanged;
    if (request.expiresAt !== undefined && request.expiresAt <= this.#clock.now()) return unchanged;
    // The request's own secrets end with the request; a store waits for its turn and for the disk.
    const target = slotOf(this.#custody, request);
    const reply = await this.#custody.inTurn(target, async (): Promise<CredentialReply> => {
      const { onlyOver } = request;
      if (onlyOver && !(await standsAsSeen(this.#custody, this.#custody.at(target), onlyOver, caller)))
        return overtakenReply;
      const slot = await frontSlot(this.#custody, target, request, caller);
      if ('marked' in slot) return slot.marked ? { status: 'ok', ids: [slot.marked] } : unchanged;
      return this.#keepCredential(slot, request, caller);
    });
    if (reply.status === 'ok') this.#accounts.approve(request);
    return reply;
  }

  /** Takes away what matches, into the restore bin; with `isForGood` also out of that. */
  async erase(request: DecodedRequest, caller: Caller, isForGood = false): Promise<CredentialReply> {
    const refusal = await this.#custody.refusal();
    if (refusal) return refusal;
    if (request.front !== undefined) return this.#eraseForFront(request, request.front, caller);
    const served = this.#round.read(request.state ?? []);
    const candidates = this.#custody
      .findAll(request.target!)
      .filter((entry) => isMeant(entry, request) && (served === undefined || entry.id === served))
      .filter((entry) => mayErase(request, entry));
    const removed: Entry[] = [];
    for (const candidate of candidates) {
      // Each waits for its turn and for the disk: meanwhile all may have been locked or carried elsewhere.
      const refusedMeanwhile = await this.#custody.refusal();
      if (refusedMeanwhile) return refusedMeanwhile;
      const wasErased = await this.#custody.inTurn(candidate, () =>
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
    const meant = this.#custody.findAll(request.target!).filter((entry) => isMeant(entry, request));
    const done: Entry[] = [];
    for (const candidate of meant.filter((entry) => isListedBy(entry, front))) {
      const refusedMeanwhile = await this.#custody.refusal();
      if (refusedMeanwhile) return refusedMeanwhile;
      const isDone = await this.#custody.inTurn(candidate, () => this.#takeMark(candidate, request, front, caller));
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
    const entry = this.#custody.at(candidate);
    if (entry?.id !== candidate.id) return false;
    const left = withoutFront(entry, front);
    if (left === 'gone') return this.#eraseOne(entry, request, caller, false);
    await this.#custody.amend(entry, left);
    return true;
  }

  /** Throws as `preferenceOf`. */
  async #getByPreference(request: DecodedRequest, caller: Caller): Promise<CredentialReply> {
    return this.#answer(this.#choose(request, this.#preferenceOf(request)), request, caller);
  }

  #getChosen(request: DecodedRequest, caller: Caller): Promise<CredentialReply> {
    const isChosenByProfile = request.profile !== undefined || this.#profiles().profiles.size > 0;
    const { remembered, avoided } = this.#accounts.of(request);
    if (isChosenByProfile || remembered !== undefined || avoided) return this.#getByPreference(request, caller);
    return this.#answer(this.#first(request.target!, request), request, caller);
  }

  #preferenceOf(request: DecodedRequest): Preference {
    return { ...preferenceOf(this.#profiles(), request), ...this.#accounts.of(request) };
  }

  /** The match of the account that is preferred, living or not, where there is one; else the first of all. */
  #choose(request: DecodedRequest, preference: Preference): Entry | undefined {
    const target = request.target!;
    for (const account of accountsOf(preference)) {
      const found =
        this.#first({ ...target, username: account }, request) ??
        this.#first(target, request, ({ about }) => about?.account === fromWire(account));
      if (found) return found;
    }
    const { avoided } = preference;
    const other = avoided && this.#first(target, request, ({ username }) => !avoided.has(username ?? ''));
    return other ?? this.#first(target, request);
  }

  /** The first match in the order of choice that this caller can take; one that has expired only where none lives. */
  #first(target: Target, request: DecodedRequest, isWanted?: (entry: Entry) => boolean): Entry | undefined {
    const fits = acceptorOf(request);
    const accepts = isWanted ? (entry: Entry) => isWanted(entry) && fits(entry) : fits;
    const first = this.#nearest(target, request, accepts);
    if (!first || !isExpired(first, this.#clock, request.minTtl) || this.#refresher?.canRefresh(first)) return first;
    const isLive = (entry: Entry) => accepts(entry) && !isExpired(entry, this.#clock, request.minTtl);
    return this.#nearest(target, request, isLive) ?? first;
  }

  /** Of the scope that is first in the order of choice: a front's own for that front, what is no front's for all others. */
  #nearest(target: Target, { front }: DecodedRequest, accepts: (entry: Entry) => boolean): Entry | undefined {
    const first = this.#custody.find(target, accepts);
    if (!first || rankFor(front, first) === 0) return first;
    for (let rank = 0; rank < FARTHEST; rank++) {
      const isNear = (entry: Entry) => entry.path === first.path && rankFor(front, entry) === rank && accepts(entry);
      const found = this.#custody.find(target, isNear);
      if (found) return found;
    }
    return first;
  }

  /**
   * While the backend is being opened: by what its host has, which is read before all else. Nothing found there waits until all is
   * known (whether it was revoked, what else could be meant), for as long as callers wait; a backend that is still being read by
   * then is unavailable, and never an answer of "not found".
   */
  async #getWhenOpen(request: DecodedRequest, caller: Caller): Promise<CredentialReply> {
    const late = Promise.withResolvers<'late'>();
    const deadline = new IoDeadline(OPENING_WAIT, () => late.resolve('late'));
    try {
      const knowsHost = await Promise.race([this.#custody.knowsHost(request.target!), late.promise]);
      if (knowsHost === true) {
        const reply = await this.#getNow(request, caller);
        if (reply.status !== 'not-found') return reply;
      }
      const refusal = await Promise.race([this.#custody.refusal(), late.promise]);
      if (refusal === 'late') return stillOpening(this.#custody);
      return refusal ?? this.#getNow(request, caller);
    } finally {
      deadline.clear();
    }
  }

  /** Whether a get for this target may be answered now by what is known. */
  #isServing({ target }: DecodedRequest): boolean {
    return this.#custody.isServing || this.#custody.isServingHost(target!);
  }

  async #getWhenRead(found: Entry, request: DecodedRequest, caller: Caller): Promise<CredentialReply> {
    await this.#custody.obtain(found);
    // While we waited it may have been erased, replaced or locked away.
    if (!this.#isServing(request) || this.#custody.at(found) !== found) return this.#getNow(request, caller);
    return this.#custody.isServable(found) ? this.#serve(found, request, caller) : notFound;
  }

  #serve(found: Entry, request: DecodedRequest, caller: Caller): CredentialReply {
    this.#custody.touch(found);
    if (!isExpired(found, this.#clock, request.minTtl)) return this.#reply(found, request, caller);
    return endedReply(found) ?? this.#refreshOnly(found, caller);
  }

  #reply(entry: Entry, request: DecodedRequest, caller: Caller): CredentialReply {
    const { protocol, host, path, username, authtype, expiresAt, about } = entry;
    const { secret, refreshToken } = release(this.#custody, entry, caller, 'reply');
    const credential = {
      protocol,
      host,
      path,
      username,
      authtype,
      expiresAt,
      secret,
      // What we refresh ourselves is nobody else's.
      refreshToken: about?.oauth === undefined ? refreshToken : undefined,
    };
    const state = request.capabilities.state ? [this.#round.of(entry.id)] : undefined;
    return { status: 'ok', credential, state, ids: [entry.id] };
  }

  /** What git may still hear of an expired credential: the refresh token, for the next helper in its list. */
  #refreshOnly(entry: Entry, caller: Caller): CredentialReply {
    const { id, protocol, host, path, username, expiresAt, about } = entry;
    const { refreshToken } = release(this.#custody, entry, caller, 'reply');
    if (!refreshToken || about?.oauth) return expiredReply;
    return { status: 'ok', credential: { protocol, host, path, username, expiresAt, refreshToken }, ids: [id] };
  }

  /** Answers the id of what is kept now; none if nothing changed. */
  async #keepCredential(
    { target, fronts, frontOnly }: FrontSlot,
    request: DecodedRequest,
    caller: Caller,
  ): Promise<CredentialReply> {
    const before = this.#custody.at(target);
    const now = before && this.#custody.isServable(before) && release(this.#custody, before, caller, 'match');
    const repeated = before && now && isSame(before, now, request) ? before : undefined;
    if (repeated) {
      // git repeats what it was just given after every success: nothing to write, and nothing that it left out is lost.
      this.#custody.touch(repeated);
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
      storedAt: newestDate(this.#custody, this.#clock, target),
      about: noted.about,
      made: madeAfter(before?.made, request.made, repeated !== undefined || noted.isSameValue),
      fronts,
      frontOnly,
      shown: noted.about?.prefix,
    };
    const isThere = repeated !== undefined && this.#custody.isServable(repeated);
    const known = isThere ? release(this.#custody, repeated, caller, 'match').refreshToken : undefined;
    const secrets = { secret, refreshToken: request.refreshToken ?? known };
    await this.#custody.put(held, secrets, request.timeout === undefined, request.timeout);
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

  /** True if it was this secret, or any if none was named, and is gone in memory and at rest. */
  async #eraseOne(
    candidate: Entry,
    { secret, id, tool }: DecodedRequest,
    caller: Caller,
    isForGood: boolean,
  ): Promise<boolean> {
    this.#custody.refuseLocked('erase');
    const entry = this.#custody.at(candidate);
    if (entry?.id !== candidate.id) return false;
    if (secret) {
      if (!this.#custody.isServable(entry)) await this.#custody.obtain(entry);
      if (!this.#custody.isServable(entry)) return false;
      if (!release(this.#custody, entry, caller, 'match').secret?.equals(secret)) return false;
    }
    // A tool was refused with an access token. Whether the login is over its provider says, not a tool; and one that is over
    // is known until a person has seen to it.
    if (id === undefined && entry.about?.oauth && this.#refresher) await dropAccess(this.#custody, entry, caller);
    else if (isForGood) {
      await this.#custody.remove(entry);
      await purgeErased(this.#custody.own, { ...entry, about: undefined });
    } else await this.#bin.erase(entry, tool);
    this.#emit({ kind: 'erased', id: entry.id });
    return true;
  }
}

function stillOpening({ progress }: Custody): CredentialReply {
  const far = progress ? `: ${progress.done} of ${progress.total} credentials are read` : '';
  return { status: 'unavailable', message: `cannot answer yet: the agent is opening its backend${far}; try again` };
}
