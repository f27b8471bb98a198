import { mergeAbout } from '../../protocol/about.ts';
import type { EpochSeconds, Seconds, Target } from '../../protocol/credential.ts';
import { asFault } from '../../protocol/errors.ts';
import type { Grant } from '../../protocol/grant.ts';
import type { Manifest } from '../../protocol/services/index.ts';
import { release } from '../access/release.ts';
import { type Degradation, type Held, heldOf, type Secrets } from '../backends/backend.ts';
import { disposeSecrets, withBytes } from '../backends/secrets.ts';
import type { Clock } from '../clock.ts';
import type { CredentialStore } from '../credentials/held/credential-store.ts';
import type { Entry } from '../credentials/unlocked/set.ts';
import { Sweeper } from '../credentials/unlocked/sweeper.ts';
import type { Emit } from '../events/agent-event.ts';
import type { Marks } from '../history/tombstones/marks.ts';
import { agentItself } from '../socket/caller.ts';
import { whyUnfitForm } from '../upstream/incoming.ts';
import type { Route } from '../upstream/plan.ts';
import type { Upstream, UpstreamAnswer } from '../upstream/upstream.ts';
import { adoptNewer, EARLIER_MAX } from './adopt.ts';
import type { OAuthPlan, OAuthReply } from './oauth-plan.ts';
import {
  loginCommand,
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
  lifetimeOf,
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
    return [...this.#parts.credentials.entries.logins()].flatMap((entry) => {
      const { id } = entry;
      const remedy = `run: ${loginCommand(entry)}`;
      if (entry.about?.oauth?.ended) {
        return [{ code: 'login-ended', what: `a login has ended and cannot be refreshed (${id})`, remedy }];
      }
      if (!this.isUnknown(entry)) return [];
      return [
        { code: 'refresh-unknown', what: `a refresh was cut off: the state of a login is unknown (${id})`, remedy },
      ];
    });
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
      const plan = planOf(grant, route);
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
    before: Secrets & Required<Pick<Secrets, 'refreshToken'>>,
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
        const unfit = this.#whyUnfit(entry, answer);
        if (unfit) return this.#keepOld(entry, grant, answer, before, unfit);
        this.#backoffs.delete(grant.issuer);
        const token = before.refreshToken;
        const { value, refreshToken = token } = Object.fromEntries(answer.secrets) as {
          value?: typeof token;
          refreshToken?: typeof token;
        };
        return this.#keep(entry, grant, verdict, { secret: value, refreshToken }, refreshToken !== token);
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

  /** Why a token that the provider gave cannot take the place of the one that is held; undefined where it can. */
  #whyUnfit({ about }: Entry, { secrets, unfit }: UpstreamAnswer<OAuthReply>): string | undefined {
    const [bad] = unfit ?? [];
    if (bad) return bad[0] === 'refreshToken' ? `its refresh token: ${bad[1]}` : bad[1];
    const value = secrets.get('value');
    if (!value) return 'it is missing';
    const manifest = this.#parts.services?.().find(({ id }) => id === about?.service);
    const isFormKnown = manifest?.kinds.some(({ name }) => name === about?.kind) ?? false;
    return isFormKnown ? withBytes(value, (bytes) => whyUnfitForm(manifest!, bytes, about?.kind)) : undefined;
  }

  /**
   * Keeps the access token until now, because the one that came cannot be kept. A refresh token that came with it is kept: the
   * one that was sent for it may be spent. Where that one is what cannot be kept, nobody knows which one the provider takes.
   */
  async #keepOld(
    entry: Entry,
    { begunAt: _, ...grant }: Grant,
    { secrets, unfit }: UpstreamAnswer<OAuthReply>,
    before: Secrets,
    why: string,
  ): Promise<RefreshOutcome> {
    const { credentials, emit } = this.#parts;
    emit({ kind: 'refresh-failed', id: entry.id, outcome: 'unfit' });
    if (unfit?.has('refreshToken') && grant.rotates !== false) {
      return { status: 'failed', ...outcomeOf(entry, 'unfit-token', undefined, why) };
    }
    const fresh = secrets.get('refreshToken');
    const about = mergeAbout(entry.about, { oauth: { ...grant, round: grant.round + (fresh ? 1 : 0) } });
    if (fresh && before.secret) {
      const held = { ...heldOf(entry), about };
      await credentials.changes.renew(entry, held, { secret: before.secret, refreshToken: fresh });
    } else await credentials.changes.noteOutcome(entry, about);
    return { status: 'failed', ...outcomeOf(entry, 'unfit-token', this.#backOff(grant), why) };
  }

  /** At rest first. Only then is it served, and the old one let go. */
  async #keep(
    entry: Entry,
    grant: Grant,
    { expiresIn, scopes, subject }: Extract<Verdict, { kind: 'given' }>,
    secrets: Secrets,
    isRotated: boolean,
  ): Promise<RefreshOutcome> {
    const { credentials, clock, marks, emit } = this.#parts;
    const lifetime = lifetimeOf(expiresIn);
    const { about: seen } = await marks.note(secrets.secret!, entry, entry.about, entry.resting !== undefined);
    const earlier = [entry.about?.fingerprint, ...(grant.earlier ?? [])].filter((one) => one !== undefined);
    const { begunAt, ...rest } = grant;
    const oauth: Grant = {
      ...rest,
      round: grant.round + 1,
      lifetime,
      rotates: grant.by === 'refresh-token' ? isRotated || (grant.rotates ?? false) : false,
      subject: grant.subject ?? subject,
      earlier: earlier.slice(0, EARLIER_MAX),
    };
    const about = mergeAbout(entry.about, { ...seen, ...(scopes && { scopes }), oauth, ended: undefined });
    const held: Held = {
      ...heldOf(entry),
      expiresAt: lifetime === undefined ? undefined : clock.now() + lifetime,
      about,
      shown: about?.prefix,
    };
    // Where a value and what is known of it do not come to rest in one stroke, the mark of the refresh goes last.
    const isOneStroke = !entry.resting || credentials.lifecycle.backend?.name !== 'keyring';
    const marked = { ...held, about: mergeAbout(about, { oauth: { ...oauth, begunAt: begunAt ?? clock.now() } }) };
    await credentials.changes.renew(entry, isOneStroke ? held : marked, secrets);
    const kept = credentials.entries.at(held);
    if (!isOneStroke && kept) await credentials.changes.noteOutcome(kept, about);
    if (kept) {
      const family = this.#learn(kept, this.#families.get(kept.id));
      if (family.life) this.#sweeper.by(family.life.dueAt);
    }
    emit({ kind: 'refreshed', id: held.id });
    return { status: 'refreshed' };
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

function planOf(grant: Grant, route: Route): OAuthPlan {
  const { issuer, clientId, tokenUrl } = grant;
  // A refresh without scopes keeps those that were granted (RFC 6749, 6); a client's own token has no others than it asks for.
  const isOfClient = grant.by === 'client-secret';
  const scopes = isOfClient ? grant.scopes : undefined;
  return { ...route, act: isOfClient ? 'client-credentials' : 'refresh', issuer, clientId, tokenUrl, scopes };
}

/** The turn of a family: no target of a credential has a NUL in its protocol. */
export function turnOf({ id }: Held): Target {
  return { protocol: '\0refresh', host: id };
}
