import type { Target } from '../../protocol/credential.ts';
import type { CredentialReply, DecodedRequest } from '../../protocol/handler.ts';
import { release } from '../access/release.ts';
import type { Clock } from '../clock.ts';
import { revokedReply, type Tombstone } from '../history/tombstones/tombstone.ts';
import type { Tombstones } from '../history/tombstones/tombstones.ts';
import { IoDeadline } from '../io-deadline.ts';
import { inTime } from '../oauth/refresh-outcome.ts';
import type { Refresher } from '../oauth/refresher.ts';
import type { Caller } from '../socket/caller.ts';
import type { Choice } from './choice.ts';
import { endedReply } from './ended.ts';
import type { GitUsername } from './git-form.ts';
import type { CredentialStore } from './held/credential-store.ts';
import type { Lifecycle } from './held/lifecycle.ts';
import { isExpired } from './meant.ts';
import type { RoundState } from './round.ts';
import type { Entry } from './unlocked/set.ts';
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
/** Milliseconds that a get waits for a backend that is being opened: less than any client of ours waits for its answer. */
const OPENING_WAIT = 4_000;

export type GetParts = {
  readonly credentials: Pick<CredentialStore, 'entries' | 'leases' | 'lifecycle' | 'values'>;
  readonly clock: Clock;
  readonly choice: Choice;
  readonly tombstones: Pick<Tombstones, 'find'>;
  readonly waiters: Waiters;
  readonly round: RoundState;
  readonly refresher?: Refresher | undefined;
  /** Whether a login is under way for a target. */
  readonly isSigningIn: (target: Target) => boolean;
  readonly gitUsername: GitUsername;
};

/** Answers gets: chooses a credential, waits for what it needs (the backend, a refresh, a person), and hands its value out. */
export class Get {
  readonly #credentials: Pick<CredentialStore, 'entries' | 'leases' | 'lifecycle' | 'values'>;
  readonly #clock: Clock;
  readonly #choice: Choice;
  readonly #tombstones: GetParts['tombstones'];
  readonly #waiters: Waiters;
  readonly #round: RoundState;
  readonly #refresher: Refresher | undefined;
  readonly #isSigningIn: (target: Target) => boolean;
  readonly #gitUsername: GitUsername;

  constructor({
    credentials,
    clock,
    choice,
    tombstones,
    waiters,
    round,
    refresher,
    isSigningIn,
    gitUsername,
  }: GetParts) {
    this.#credentials = credentials;
    this.#clock = clock;
    this.#choice = choice;
    this.#tombstones = tombstones;
    this.#waiters = waiters;
    this.#round = round;
    this.#refresher = refresher;
    this.#isSigningIn = isSigningIn;
    this.#gitUsername = gitUsername;
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
    if (!this.#credentials.lifecycle.isServing && !this.#credentials.lifecycle.isServingHost(request.target!))
      return this.#getWhenOpen(request, caller);
    return this.#getChosen(request, caller);
  }

  /** Not an async function: a get that is answered from memory takes no further turn of the event loop. */
  #getChosen(request: DecodedRequest, caller: Caller): Promise<CredentialReply> {
    try {
      return this.#answer(this.#choice.of(request), request, caller);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #answer(found: Entry | undefined, request: DecodedRequest, caller: Caller): Promise<CredentialReply> {
    if (!found) return Promise.resolve(this.#missing(request));
    if (found.about?.oauth !== undefined && this.#refresher !== undefined)
      return this.#answerRefreshed(found, request, caller);
    const expired = isExpired(found, this.#clock, request.minTtl);
    if (expired && request.capabilities.keyhold) return Promise.resolve(endedReply(found) ?? expiredReply);
    if (!this.#credentials.leases.isServable(found)) return this.#getWhenRead(found, request, caller);
    return Promise.resolve(this.#serve(found, request, caller));
  }

  /** A token of a login: what lives is given at once, what is due is refreshed behind that, and what is over before it. */
  #answerRefreshed(found: Entry, request: DecodedRequest, caller: Caller): Promise<CredentialReply> {
    const phase = this.#refresher!.look(found, request.minTtl);
    const isOver = phase === 'closing' || phase === 'dead' || found.about?.ended !== undefined;
    if (isOver) return this.#getWhenRefreshed(found, request, caller);
    if (!this.#credentials.leases.isServable(found)) return this.#getWhenRead(found, request, caller);
    return Promise.resolve(this.#serve(found, request, caller));
  }

  /** Waits for the one refresh. */
  async #getWhenRefreshed(found: Entry, request: DecodedRequest, caller: Caller): Promise<CredentialReply> {
    const outcome = await inTime(this.#refresher!.refresh(found));
    if (!this.#isServing(request) || this.#credentials.entries.at(found) !== found)
      return this.#getNow(request, caller);
    const isLive =
      !isExpired(found, this.#clock, request.minTtl) && this.#refresher!.look(found, request.minTtl) !== 'dead';
    if (!isLive) return outcome.status === 'failed' ? outcome.reply : tooShort;
    if (!this.#credentials.leases.isServable(found)) await this.#credentials.values.obtain(found);
    return this.#isServing(request) && this.#credentials.leases.isServable(found)
      ? this.#serve(found, request, caller)
      : notFound;
  }

  async #getWhenRead(found: Entry, request: DecodedRequest, caller: Caller): Promise<CredentialReply> {
    await this.#credentials.values.obtain(found);
    // While we waited it may have been erased, replaced or locked away.
    if (!this.#isServing(request) || this.#credentials.entries.at(found) !== found)
      return this.#getNow(request, caller);
    return this.#credentials.leases.isServable(found) ? this.#serve(found, request, caller) : notFound;
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
      const knowsHost = await Promise.race([this.#credentials.lifecycle.knowsHost(request.target!), late.promise]);
      if (knowsHost === true) {
        const reply = await this.#getNow(request, caller);
        if (reply.status !== 'not-found') return reply;
      }
      const refusal = await Promise.race([this.#credentials.lifecycle.refusal(), late.promise]);
      if (refusal === 'late') return stillOpening(this.#credentials.lifecycle);
      return refusal ?? this.#getNow(request, caller);
    } finally {
      deadline.clear();
    }
  }

  /** Whether a get for this target may be answered now by what is known. */
  #isServing({ target }: DecodedRequest): boolean {
    return this.#credentials.lifecycle.isServing || this.#credentials.lifecycle.isServingHost(target!);
  }

  /** What only a person could do about an answer; undefined where that is nothing, or no person is at it. */
  #needOf({ status }: CredentialReply, request: DecodedRequest): Need | undefined {
    if (status === 'locked') return 'unlock';
    const { target } = request;
    if (status === 'ok' || status === 'bad-request' || !target) return undefined;
    if (this.#isSigningIn(target)) return 'under-way';
    if (status !== 'interaction-required') return undefined;
    const found = this.#choice.preferred(request);
    return found && { id: found.id };
  }

  /** Nothing is held for a target: did it die by revocation? */
  #missing({ target, exactPath, id }: DecodedRequest): CredentialReply {
    const isMeant = ({ path, credential }: Tombstone) =>
      (id === undefined || credential === id) && (!exactPath || path === target!.path);
    const tombstone = this.#tombstones.find(target!, isMeant);
    return tombstone ? revokedReply(tombstone) : notFound;
  }

  #serve(found: Entry, request: DecodedRequest, caller: Caller): CredentialReply {
    this.#credentials.leases.touch(found);
    if (!isExpired(found, this.#clock, request.minTtl)) return this.#reply(found, request, caller);
    return endedReply(found) ?? this.#refreshOnly(found, caller);
  }

  #reply(entry: Entry, request: DecodedRequest, caller: Caller): CredentialReply {
    const { protocol, host, path, username, authtype, expiresAt, about } = entry;
    const { secret, refreshToken } = release(this.#credentials.values, entry, caller, 'reply');
    const credential = {
      protocol,
      host,
      path,
      username,
      authtype,
      expiresAt,
      secret,
      // What we refresh ourselves no other program refreshes.
      refreshToken: about?.oauth === undefined ? refreshToken : undefined,
    };
    const state = request.capabilities.state ? [this.#round.of(entry.id)] : undefined;
    const isNameless = request.tool === 'git' && username === undefined && authtype === undefined;
    const gitUsername = isNameless ? this.#gitUsername(entry) : undefined;
    return { status: 'ok', credential, state, gitUsername, ids: [entry.id] };
  }

  /** What git may still hear of an expired credential: the refresh token, for the next helper in its list. */
  #refreshOnly(entry: Entry, caller: Caller): CredentialReply {
    const { id, protocol, host, path, username, expiresAt, about } = entry;
    const { refreshToken } = release(this.#credentials.values, entry, caller, 'reply');
    if (!refreshToken || about?.oauth) return expiredReply;
    return { status: 'ok', credential: { protocol, host, path, username, expiresAt, refreshToken }, ids: [id] };
  }
}

function stillOpening({ progress }: Pick<Lifecycle, 'progress'>): CredentialReply {
  const far = progress ? `: ${progress.done} of ${progress.total} credentials are read` : '';
  return { status: 'unavailable', message: `cannot answer yet: the agent is opening its backend${far}; try again` };
}
