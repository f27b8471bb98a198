import { accountsOf } from '../../protocol/choice.ts';
import type { Target } from '../../protocol/credential.ts';
import type { DecodedRequest } from '../../protocol/handler.ts';
import type { Profiles } from '../../protocol/profiles.ts';
import { fromWire } from '../../protocol/text.ts';
import type { Clock } from '../clock.ts';
import type { Refresher } from '../oauth/refresher.ts';
import type { Accounts } from './accounts.ts';
import { FARTHEST, rankFor } from './fronts.ts';
import { acceptorOf, isExpired } from './meant.ts';
import { type Preference, preferenceOf } from './profiles.ts';
import type { Entries, Entry } from './unlocked/set.ts';

/** What a choice goes by. */
export type ChoiceParts = {
  readonly entries: Pick<Entries, 'find'>;
  readonly clock: Clock;
  /** Those of the moment. */
  readonly profiles: () => Profiles;
  readonly accounts: Pick<Accounts, 'of'>;
  /** Without it a login is served as long as it lives. */
  readonly refresher?: Pick<Refresher, 'canRefresh'> | undefined;
};

/** Chooses the credential that a request is answered with, among those that match it (DESIGN.md §3). */
export class Choice {
  readonly #entries: ChoiceParts['entries'];
  readonly #clock: Clock;
  readonly #profiles: () => Profiles;
  readonly #accounts: ChoiceParts['accounts'];
  readonly #refresher: ChoiceParts['refresher'];

  constructor({ entries, clock, profiles, accounts, refresher }: ChoiceParts) {
    this.#entries = entries;
    this.#clock = clock;
    this.#profiles = profiles;
    this.#accounts = accounts;
    this.#refresher = refresher;
  }

  /** The credential that a request is answered with, in the order of choice; undefined where nothing matches. Throws as `preferenceOf`. */
  of(request: DecodedRequest): Entry | undefined {
    const isChosenByProfile = request.profile !== undefined || this.#profiles().profiles.size > 0;
    const { remembered, avoided } = this.#accounts.of(request);
    if (isChosenByProfile || remembered !== undefined || avoided) return this.preferred(request);
    return this.#first(request.target!, request);
  }

  /** Whose credential a request prefers. Throws `bad_request` where it asks for a profile that is not there. */
  preferenceOf(request: DecodedRequest): Preference {
    return { ...preferenceOf(this.#profiles(), request), ...this.#accounts.of(request) };
  }

  /** The match of the account that is preferred, living or not, where there is one; else the first of all. */
  preferred(request: DecodedRequest, preference = this.preferenceOf(request)): Entry | undefined {
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
    const first = this.#entries.find(target, accepts);
    if (!first || rankFor(front, first) === 0) return first;
    for (let rank = 0; rank < FARTHEST; rank++) {
      const isNear = (entry: Entry) => entry.path === first.path && rankFor(front, entry) === rank && accepts(entry);
      const found = this.#entries.find(target, isNear);
      if (found) return found;
    }
    return first;
  }
}
