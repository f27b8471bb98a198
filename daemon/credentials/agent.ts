import type { Target } from '../../protocol/credential.ts';
import type { CredentialReply, DecodedRequest } from '../../protocol/handler.ts';
import type { Profiles } from '../../protocol/profiles.ts';
import type { Clock } from '../clock.ts';
import type { Emit } from '../events/agent-event.ts';
import type { RestoreBin } from '../history/erased/restore-bin.ts';
import type { Tombstones } from '../history/tombstones/tombstones.ts';
import type { Refresher } from '../oauth/refresher.ts';
import type { Caller } from '../socket/caller.ts';
import type { Accounts } from './accounts.ts';
import { Choice } from './choice.ts';
import { Erase } from './erase.ts';
import { explain } from './explain.ts';
import { Get } from './get.ts';
import type { GitUsername } from './git-form.ts';
import type { CredentialStore } from './held/credential-store.ts';
import { RoundState } from './round.ts';
import { Store } from './store.ts';
import type { Waiters } from './waiters.ts';

export type AgentParts = {
  readonly credentials: CredentialStore;
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
  /** Whether a login is under way for a target. */
  readonly isSigningIn?: ((target: Target) => boolean) | undefined;
  readonly gitUsername?: GitUsername | undefined;
};

/** The verbs of credentials: get, store, erase, and explain, which says what a get would do. */
export class Agent {
  readonly #parts: AgentParts;
  readonly #choice: Choice;
  readonly #get: Get;
  readonly #store: Store;
  readonly #erase: Erase;

  constructor(parts: AgentParts) {
    const { refresher, isSigningIn = () => false, gitUsername = () => undefined } = parts;
    const round = new RoundState();
    this.#parts = parts;
    this.#choice = new Choice({ ...parts, entries: parts.credentials.entries });
    this.#get = new Get({ ...parts, choice: this.#choice, round, isSigningIn, gitUsername });
    this.#store = new Store({ ...parts, gitUsername });
    this.#erase = new Erase({ ...parts, round, refreshes: refresher !== undefined, gitUsername });
  }

  /** What is open and in memory is answered in this turn of the event loop. */
  get(request: DecodedRequest, caller: Caller): Promise<CredentialReply> {
    return this.#get.get(request, caller);
  }

  /** Answered when it is durable. */
  store(request: DecodedRequest, caller: Caller): Promise<CredentialReply> {
    return this.#store.store(request, caller);
  }

  /** Takes away what matches, into the restore bin; with `isForGood` also out of that. */
  erase(request: DecodedRequest, caller: Caller, isForGood = false): Promise<CredentialReply> {
    return this.#erase.erase(request, caller, isForGood);
  }

  /** What a get would be answered with, and why. It reads nothing from the backend and extends no lease. */
  async explain(request: DecodedRequest): Promise<CredentialReply> {
    const { credentials, clock, tombstones, refresher } = this.#parts;
    await credentials.lifecycle.settled();
    const { isServing, state, failure, backend } = credentials.lifecycle;
    const { protocol, host } = request.target!;
    const preference = this.#choice.preferenceOf(request);
    const details = explain({
      target: request.target!,
      preference,
      front: request.front,
      offersAuthtype: request.capabilities.authtype,
      minTtl: request.minTtl ?? 0,
      exactPath: request.exactPath ?? false,
      now: clock.now(),
      candidates: credentials.entries.findAll({ protocol, host }).map((entry) => ({
        held: entry,
        leaseLeft: credentials.leases.left(entry),
        memoryOnly: entry.resting === undefined,
        refresh: entry.about?.oauth && refresher?.stateOf(entry),
      })),
      chosen: this.#choice.preferred(request, preference),
      isRevoked: tombstones.find(request.target!) !== undefined,
      agent: {
        state: state === 'open' && !isServing ? 'locked' : state,
        failure: failure?.status,
        backend: backend?.name ?? 'none',
        needsPassphrase: backend?.needsPassphrase ?? false,
      },
    });
    return { status: 'ok', details };
  }
}
