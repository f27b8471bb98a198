import { mergeAbout } from '../../protocol/about.ts';
import type { EpochSeconds, Seconds, Target } from '../../protocol/credential.ts';
import { asFault } from '../../protocol/errors.ts';
import type { Grant } from '../../protocol/grant.ts';
import type { Secret } from '../../protocol/secret.ts';
import type { Manifest } from '../../protocol/services/index.ts';
import { release } from '../access/release.ts';
import type { Degradation, Held, Secrets } from '../backends/backend.ts';
import { disposeSecrets } from '../backends/secrets.ts';
import type { Clock } from '../clock.ts';
import type { CredentialStore } from '../credentials/held/credential-store.ts';
import type { Entry } from '../credentials/unlocked/set.ts';
import { Sweeper } from '../credentials/unlocked/sweeper.ts';
import type { Emit } from '../events/agent-event.ts';
import type { Marks } from '../history/tombstones/marks.ts';
import { agentItself } from '../socket/caller.ts';
import type { Route } from '../upstream/plan.ts';
import type { Upstream, UpstreamAnswer } from '../upstream/upstream.ts';
import { adoptNewer } from './adopt.ts';
import { keepNew, keepOld, whyUnfit } from './keep-refreshed.ts';
import { type OAuthReply, refreshPlanOf } from './oauth-plan.ts';
import {
  loginDegradation,
  outcomeOf,
  type RefreshOutcome,
  stuckOutcome,
  type Verdict,
  verdictOf,
} from './refresh-outcome.ts';
import { type RefreshState, refreshStateOf } from './refresh-state.ts';
import {
  type Backoff,
  backoffAfter,
  isInUse,
  type Life,
  lifeOf,
  type Phase,
  phaseOf,
  type Random,
} from './schedule.ts';

export type RefresherParts = {
  readonly credentials: Pick<CredentialStore, 'changes' | 'entries' | 'lifecycle' | 'queue' | 'values'>;
  readonly marks: Pick<Marks, 'note'>;
  readonly upstream: Pick<Upstream, 'run'>;
  /** How services are reached at the moment. Throws where they must not be. */
  readonly route: () => Route;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
  /** The services of the moment, whose kinds say what form their tokens have. */
  readonly services?: (() => readonly Manifest[]) | undefined;
  /** How long after somebody asked for it a token is still refreshed ahead of need. */
  readonly usedWithin: Seconds;
};

/** What is known in memory of one family: the tokens that one login led to, one after the other. */
type Family = {
  /** The expiry that `life` was made from. */
  expiresAt: EpochSeconds | undefined;
  /** Undefined: its end is not known. */
  life: Life | undefined;
  askedAt: Seconds | undefined;
  flight: Promise<RefreshOutcome> | undefined;
};

/**
 * Keeps access tokens alive. One refresh at a time for each family, whoever asks; noted at rest before it begins, so that one
 * that was cut off is found; the new tokens at rest before anybody is given them or the old ones are let go.
 */
export class Refresher {
  readonly #parts: RefresherParts;
  readonly #families = new Map<string, Family>();
  /** By issuer: every token of a service waits for the same. */
  readonly #backoffs = new Map<string, Backoff>();
  readonly #sweeper: Sweeper;

  constructor(parts: RefresherParts) {
    this.#parts = parts;
    this.#sweeper = new Sweeper(parts.clock, (now) => this.#sweep(now));
  }

  /** Whether a refresh could bring `entry` back: it has a grant that has not ended, nor been cut off. */
  canRefresh(entry: Held): boolean {
    const grant = entry.about?.oauth;
    return grant !== undefined && grant.ended === undefined && !this.isUnknown(entry);
  }

  /** Whether a refresh of it was cut off, so that nobody knows which refresh token the provider takes. */
  isUnknown(entry: Held): boolean {
    return entry.about?.oauth?.begunAt !== undefined && this.#families.get(entry.id)?.flight === undefined;
  }

  /**
   * Where the access token of `entry`, which somebody asks for, stands; begins its refresh in the background when it is due. On
   * the way of every get: no waiting, and nothing is made.
   */
  look(entry: Entry, minTtl: Seconds = 0): Phase {
    const family = this.#familyOf(entry);
    const now = this.#parts.clock.sinceBoot();
    family.askedAt = now;
    if (family.life === undefined) return 'fresh';
    const isOver = entry.expiresAt! <= this.#parts.clock.now() + minTtl;
    const phase = isOver ? 'dead' : phaseOf(family.life, now, minTtl);
    if (family.flight === undefined) {
      if (phase === 'fresh') this.#sweeper.by(family.life.dueAt);
      else if (this.canRefresh(entry)) void this.#begin(entry, family);
    }
    return phase;
  }

  /**
   * The refresh of `entry` that is under way, or a new one. It always answers. With `force` also one that was cut off, and one
   * whose service wants to be left alone: a person has asked for it.
   */
  refresh(entry: Entry, force = false): Promise<RefreshOutcome> {
    const family = this.#familyOf(entry);
    return family.flight ?? this.#begin(entry, family, force);
  }

  /** What a person should see to: logins that nobody but they can mend. */
  degradations(): Degradation[] {
    const logins = [...this.#parts.credentials.entries.logins()];
    return logins.flatMap((entry) => loginDegradation(entry, this.isUnknown(entry)) ?? []);
  }

  /** Where the refresh of `entry` stands; undefined for what is no login. Nothing is begun by it, and it is no use of the token. */
  stateOf(entry: Entry): RefreshState | undefined {
    const { clock, usedWithin } = this.#parts;
    const family = this.#familyOf(entry);
    const facts = {
      isUnderWay: family.flight !== undefined,
      isUnknown: this.isUnknown(entry),
      life: family.life,
      isInUse: isInUse(family.askedAt, clock.sinceBoot(), usedWithin),
      backoff: this.#backoffs.get(entry.about?.oauth?.issuer ?? ''),
    };
    return refreshStateOf(entry, facts, clock);
  }

  /** Stops refreshing ahead of need. What is under way comes to its end. */
  dispose(): void {
    this.#sweeper.dispose();
  }

  #familyOf(entry: Entry): Family {
    const family = this.#families.get(entry.id);
    if (family !== undefined && family.expiresAt === entry.expiresAt) return family;
    return this.#learn(entry, family);
  }

  #learn(entry: Entry, before: Family | undefined): Family {
    const { clock, random } = this.#parts;
    const { expiresAt, about } = entry;
    const { lifetime, leeway } = about?.oauth ?? {};
    const family = before ?? { expiresAt, life: undefined, askedAt: undefined, flight: undefined };
    family.expiresAt = expiresAt;
    family.life =
      expiresAt === undefined
        ? undefined
        : lifeOf({ expiresAt, lifetime, leeway }, clock.now(), clock.sinceBoot(), random);
    this.#families.set(entry.id, family);
    return family;
  }

  /** Plans the next refresh of what has just been refreshed. */
  #learnAnew(kept: Entry): void {
    const { life } = this.#learn(kept, this.#families.get(kept.id));
    if (life) this.#sweeper.by(life.dueAt);
  }

  #begin(entry: Entry, family: Family, force = false): Promise<RefreshOutcome> {
    const stuck = stuckOutcome(entry, this.isUnknown(entry));
    if (stuck && (!force || entry.about?.oauth?.ended !== undefined || !entry.about?.oauth))
      return Promise.resolve(stuck);
    const backoff = this.#backoffs.get(entry.about!.oauth!.issuer);
    const now = this.#parts.clock.sinceBoot();
    if (backoff && backoff.until > now && !force) {
      this.#sweeper.by(backoff.until);
      return Promise.resolve({ status: 'failed', ...outcomeOf(entry, 'waiting', backoff.until - now) });
    }
    // A key of its own: gets and stores of the same target go on meanwhile, and a lock waits until what comes is kept.
    const flight = this.#parts.credentials.queue
      .run(turnOf(entry), () => this.#run(entry))
      .catch((error): RefreshOutcome => {
        const { status, message } = asFault(error);
        return { status: 'failed', reply: { status, message } };
      })
      .finally(() => {
        family.flight = undefined;
      });
    family.flight = flight;
    return flight;
  }

  async #run(asked: Entry): Promise<RefreshOutcome> {
    const { credentials, clock, upstream, emit } = this.#parts;
    const entry = credentials.entries.at(asked);
    // Another has taken its place meanwhile: that is newer, and may be good.
    if (entry?.id !== asked.id || !entry.about?.oauth) return { status: 'refreshed' };
    const grant = entry.about.oauth;
    const route = this.#parts.route();
    const secrets = await release(credentials.values, entry, agentItself, 'refresh');
    try {
      const token = secrets?.refreshToken;
      if (!token) return { status: 'failed', ...outcomeOf(entry, 'refused') };
      // In the turn of the target: an erase or a store that is under way would put back what was known before.
      const isNoted = await credentials.queue.run(entry, async () => {
        if (credentials.entries.at(entry) !== entry) return false;
        if (await adoptNewer(this.#parts, entry)) return false;
        await credentials.changes.annotate(
          entry,
          mergeAbout(entry.about, { oauth: { ...grant, begunAt: clock.now() } }),
        );
        return true;
      });
      if (!isNoted) return { status: 'refreshed' };
      const plan = refreshPlanOf(grant, route);
      const given = grant.by === 'client-secret' ? { password: token } : { refreshToken: token };
      const answer = await upstream.run<OAuthReply>('oauth', plan, given);
      try {
        const verdict = verdictOf(answer.reply, grant);
        if (verdict.kind !== 'given') emit({ kind: 'refresh-failed', id: entry.id, outcome: verdict.kind });
        return await this.#conclude(entry, grant, verdict, answer, { ...secrets, refreshToken: token });
      } finally {
        for (const secret of answer.secrets.values()) secret.dispose();
      }
    } finally {
      if (secrets) disposeSecrets(secrets);
    }
  }

  async #conclude(
    asked: Entry,
    grant: Grant,
    verdict: Verdict,
    answer: UpstreamAnswer<OAuthReply>,
    before: Secrets & { readonly refreshToken: Secret },
  ): Promise<RefreshOutcome> {
    const { credentials } = this.#parts;
    return credentials.queue.run(asked, async () => {
      const entry = credentials.entries.at(asked);
      const now = entry?.about?.oauth;
      // Signed in again, or replaced, meanwhile: what stands there is newer than what we have.
      if (entry?.id !== asked.id || now?.round !== grant.round || now.begunAt === undefined) {
        return { status: 'refreshed' };
      }
      if (verdict.kind === 'given') {
        const unfit = whyUnfit(this.#parts, entry, answer);
        if (unfit) return keepOld(this.#parts, entry, grant, answer, before, unfit, () => this.#backOff(grant));
        this.#backoffs.delete(grant.issuer);
        const kept = await keepNew(this.#parts, entry, grant, verdict, answer.secrets, before.refreshToken);
        if (kept) this.#learnAnew(kept);
        return { status: 'refreshed' };
      }
      const { begunAt, ...rest } = grant;
      if (verdict.kind === 'ended') {
        await credentials.changes.noteOutcome(
          entry,
          mergeAbout(entry.about, { oauth: { ...rest, ended: verdict.why } }),
        );
        return { status: 'failed', ...outcomeOf(entry, verdict.why) };
      }
      if (verdict.kind === 'unknown') return { status: 'failed', ...outcomeOf(entry, 'unknown') };
      await credentials.changes.noteOutcome(entry, mergeAbout(entry.about, { oauth: rest }));
      return { status: 'failed', ...outcomeOf(entry, verdict.why, this.#backOff(grant, verdict.retryAfter)) };
    });
  }

  /** Leaves a provider alone for a while that failed. Answers for how many seconds. */
  #backOff({ issuer }: Grant, retryAfter?: Seconds): Seconds {
    const { clock, random } = this.#parts;
    const backoff = backoffAfter(this.#backoffs.get(issuer), clock.sinceBoot(), retryAfter, random);
    this.#backoffs.set(issuer, backoff);
    this.#sweeper.by(backoff.until);
    return backoff.until - clock.sinceBoot();
  }

  /** Begins what is due and in use. Answers when to look again. */
  #sweep(now: Seconds): Seconds | undefined {
    const { credentials, usedWithin } = this.#parts;
    if (!credentials.lifecycle.isServing) return undefined;
    let next: Seconds | undefined;
    for (const entry of [...credentials.entries.logins()]) {
      const family = this.#families.get(entry.id);
      if (!family?.life || family.flight || !this.canRefresh(entry) || !isInUse(family.askedAt, now, usedWithin))
        continue;
      if (family.life.dueAt <= now) void this.#begin(entry, family);
      else next = Math.min(next ?? Number.POSITIVE_INFINITY, family.life.dueAt);
    }
    return next;
  }
}

/** The turn of a family: no target of a credential has a NUL in its protocol. */
export function turnOf({ id }: Held): Target {
  return { protocol: '\0refresh', host: id };
}
