import { type Actable, compareActing, mayAct } from '../../protocol/choice.ts';
import type { Target } from '../../protocol/credential.ts';
import { KeyholdError } from '../../protocol/errors.ts';
import type { Refusal } from '../../protocol/handler.ts';
import type { Profiles } from '../../protocol/profiles.ts';
import type { Secret, SecretKeeper } from '../../protocol/secret.ts';
import {
  belongsTo,
  type Cause,
  isDead,
  type Kind,
  kindOf,
  type Manifest,
  type Operation,
  type Read,
  serviceFor,
} from '../../protocol/services/index.ts';
import { fromWire } from '../../protocol/text.ts';
import { release } from '../access/release.ts';
import type { Secrets } from '../backends/backend.ts';
import { disposeSecrets } from '../backends/secrets.ts';
import type { Clock } from '../clock.ts';
import type { Agent } from '../credentials/agent.ts';
import type { CredentialStore } from '../credentials/held/credential-store.ts';
import { preferenceOf } from '../credentials/profiles.ts';
import type { Entry } from '../credentials/unlocked/set.ts';
import type { Emit } from '../events/agent-event.ts';
import type { Audit } from '../history/audit/audit.ts';
import type { Tombstones } from '../history/tombstones/tombstones.ts';
import { agentItself, type Caller } from '../socket/caller.ts';
import type { FailureName, Route, SecretName } from '../upstream/plan.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { causeReply, failureReply, placeOptions, refused } from './outcomes.ts';
import { authPlan, mayMake, planned, type Question } from './planning.ts';
import { Rechecks } from './recheck.ts';
import { endedBy, sightOf, Verdicts } from './verdicts.ts';

export type DeskParts = {
  readonly credentials: CredentialStore;
  readonly tombstones: Tombstones;
  /** Keeps what a service gave out, as any other store. */
  readonly agent: Agent;
  readonly upstream: Pick<Upstream, 'run'>;
  /** How services are reached at the moment. Throws where they must not be. */
  readonly route: () => Route;
  /** The services of the moment. */
  readonly services: () => readonly Manifest[];
  /** The profiles of the moment; without them no account is preferred. */
  readonly profiles?: (() => Profiles) | undefined;
  readonly clock: Clock;
  readonly keep: SecretKeeper;
  readonly emit: Emit;
  readonly audit: Pick<Audit, 'record'>;
  /** Whether the values of revoked tokens may be kept to look at them again. */
  readonly mayRecheck: boolean;
};

/** What a service said. */
export type Heard =
  | {
      readonly ok: true;
      readonly status: number;
      readonly read: Read;
      readonly items: readonly Read[];
      /** The caller's to dispose of. */
      readonly secrets: ReadonlyMap<SecretName, Secret>;
      /** Secrets that came and cannot be kept, with the reason; see given.ts. */
      readonly unfit?: ReadonlyMap<SecretName, string> | undefined;
      /** Why `read` has no id although the service gave one. */
      readonly unfitId?: string | undefined;
    }
  | {
      readonly ok: false;
      readonly reply: Refusal;
      /** What the service said; absent where it said nothing that could be judged. */
      readonly cause?: Cause;
      readonly httpStatus?: number;
      /** A page came in place of an answer: not the service's word about a token. */
      readonly isPage?: boolean | undefined;
      readonly failure?: FailureName;
    };

export type Asked = Question & {
  /** The credential whose token makes the call; without it the call goes without one. */
  readonly as?: Entry | undefined;
  /** Its secret, where that is at hand and not held any more. Borrowed. */
  readonly token?: Secret | undefined;
  readonly secrets?: Readonly<Partial<Record<SecretName, Secret>>>;
  /** Milliseconds after which the call is given up, where the configured time is longer. */
  readonly atMost?: number | undefined;
};

/** Whose token it is, as the service says (`whoami`). A member that it does not say is absent. */
export type Holder = { readonly user?: string; readonly account?: string; readonly tenant?: string };

/** What a token's own call says of it. */
export type Probe = {
  /** Undefined where no call tells, or where none was answered. */
  readonly isAlive: boolean | undefined;
  readonly holder?: Holder;
  /** The service's own id of the token, where that call tells it. */
  readonly tokenId?: string | undefined;
  /**
   * Of a dead one: the manifest has a name for the answer, `revoked` or `expired`. Without it the service answered a bare 401,
   * which may be about an audience or a gateway as well.
   */
  readonly isNamed?: boolean;
  /** The service knows the token and lets it not ask this (403). */
  readonly mayNotAsk?: boolean;
};

/** By what the login is chosen that makes the calls of one request: the caller's profile, and the token that they are about. */
export type Acting = {
  readonly about?: string | undefined;
  /** Wire values. */
  readonly profile?: string | undefined;
  readonly cwd?: string | undefined;
};

/** Where the agent speaks to services: which one is meant, whose token makes a call, and what the answer comes to. */
export class Desk {
  readonly parts: DeskParts;
  readonly rechecks: Rechecks;
  readonly verdicts: Verdicts;
  readonly caller: Caller;
  readonly #acting: Acting;

  constructor(parts: DeskParts, rechecks?: Rechecks, acting: Acting = {}, caller: Caller = agentItself) {
    this.caller = caller;
    this.parts = parts;
    this.verdicts = new Verdicts(parts);
    this.rechecks = rechecks ?? new Rechecks(this);
    this.#acting = acting;
  }

  /** The same, for one request: among several logins the account that its caller's profile names makes the calls. */
  actingFor(acting: Acting, caller: Caller): Desk {
    return new Desk(this.parts, this.rechecks, acting, caller);
  }

  /** What is held for an entry, copied, for a call of its service or a purpose beside that. The taker disposes of it. */
  release(entry: Entry, purpose: 'call' | 'compare' | 'move' = 'call'): Promise<Secrets | undefined> {
    return release(this.parts.credentials.values, entry, this.caller, purpose);
  }

  /** The held credential of an id, which a request names in its attribute `key`. Throws `not_found`. */
  entryOf(id: string | undefined, key = 'id'): Entry {
    const entry = id === undefined ? undefined : this.parts.credentials.entries.byId(id);
    if (entry) return entry;
    throw new KeyholdError('not_found', `cannot find the token: nothing with that ${key} is held`);
  }

  /** The service that is named, or whose place a target is. Throws `not_found`, and `bad_request` where several are. */
  manifestOf(target: Target, named: string | undefined): Manifest {
    const services = this.parts.services();
    if (named !== undefined) {
      const manifest = services.find(({ id }) => id === named);
      if (!manifest) throw new KeyholdError('not_found', 'cannot find that service; see: keyhold service list');
      if (belongsTo(target, manifest)) return manifest;
      throw new KeyholdError('denied', `cannot use that place: it is no server of ${manifest.title}`);
    }
    const found = serviceFor(target, services);
    if (found.status === 'found') return found.manifest;
    throw new KeyholdError(
      'bad_request',
      found.status === 'none'
        ? 'cannot tell which service is meant: none is known for that place; give --service NAME'
        : `cannot tell which service is meant: ${found.ids.join(', ')} are; give --service NAME`,
    );
  }

  /** The service of a held credential. */
  manifestOfEntry(entry: Entry): Manifest {
    return this.manifestOf({ protocol: entry.protocol, host: entry.host }, entry.about?.service);
  }

  /** The held credentials of one service at one place, the newest first. */
  heldAt(manifest: Manifest, { protocol, host }: Target): Entry[] {
    const { credentials } = this.parts;
    const all = [...credentials.entries.all()].filter((entry) => entry.protocol === protocol && entry.host === host);
    const own = all.filter(({ about }) => about?.service === undefined || about.service === manifest.id);
    return own.sort((one, other) => other.storedAt - one.storedAt);
  }

  /**
   * The credential that makes a call about others: the one that is named, else the first in the order of acting tokens
   * (protocol/choice.ts) whose kind may make it. A token that was created for a purpose makes calls about itself only, and one
   * that has expired makes none. Undefined: the person has to sign in. Throws `bad_request` for a profile that is not there.
   */
  actorFor(
    { manifest, operation, kind, target }: Question,
    named: Entry | undefined,
    except?: Entry,
  ): Entry | undefined {
    if (named) return named;
    const choice = planned({ manifest, operation, kind, target, values: {} });
    const call = choice.status === 'ok' ? choice.call : undefined;
    const now = this.parts.clock.now();
    const fit = this.heldAt(manifest, target).filter((entry) => {
      const isAlive = entry.expiresAt === undefined || entry.expiresAt > now;
      const isFit = call === undefined || mayMake(call, this.kindOf(manifest, entry));
      return entry !== except && isAlive && isFit;
    });
    const compare = compareActing(this.#preferredAccount(target));
    const [first] = fit.filter(mayAct).sort((one, other) => compare(actable(one), actable(other)));
    const { about } = this.#acting;
    return first ?? fit.find(({ id }) => id === about);
  }

  /** The account, as text for people, that the caller's profile names for a place. */
  #preferredAccount({ protocol, host }: Target): string | undefined {
    const { profile, cwd } = this.#acting;
    const profiles = this.parts.profiles?.();
    if (!profiles) return undefined;
    const { account } = preferenceOf(profiles, { target: { protocol, host }, profile, cwd });
    return account === undefined ? undefined : fromWire(account);
  }

  kindOf(manifest: Manifest, { about }: Entry): Kind {
    return kindOf(manifest, about?.kind) ?? manifest.kinds[0]!;
  }

  /** Makes one call. What goes wrong is told in the answer's `reply`, and nothing is thrown for it. */
  async call(asked: Asked): Promise<Heard> {
    const { manifest, operation, as, token, secrets = {} } = asked;
    const plan = planned(asked);
    if (plan.status !== 'ok') return { ok: false, reply: refused(plan.status, operation, plan.why) };
    const auth = as && authPlan(manifest, this.kindOf(manifest, as));
    if (as && !auth) {
      return {
        ok: false,
        reply: refused('unsupported', operation, `${manifest.title} does not speak HTTP with its tokens`),
      };
    }
    // Without a token the service would refuse, in words about a token that was never sent.
    if (!as && !isOpen(operation, secrets)) return { ok: false, reply: signInFirst(manifest, operation, asked.target) };
    const route = this.parts.route();
    const seen = as && sightOf(as);
    const held = as && !token ? await this.release(as) : undefined;
    const secret = token ?? held?.secret;
    try {
      if (as && !secret)
        return { ok: false, reply: refused('not-found', operation, 'the token that it needs is gone') };
      const deadline = Math.min(route.deadline, asked.atMost ?? route.deadline);
      const whole = { ...plan.plan, ...route, deadline, ...(auth && { auth }) };
      const answer = await this.parts.upstream.run('call', whole, { ...secrets, ...(secret && { token: secret }) });
      const { reply } = answer;
      if ('failure' in reply) {
        this.#note(manifest, operation, reply.failure);
        const text = failureReply(manifest, operation, reply.failure, reply.why);
        return { ok: false, reply: text, failure: reply.failure };
      }
      this.#note(manifest, operation, String(reply.status));
      if (reply.cause) {
        const text = causeReply(manifest, operation, reply.cause);
        if (as && !token) await this.verdicts.note(as, seen, endedBy(reply.cause));
        return { ok: false, reply: text, cause: reply.cause, httpStatus: reply.status, isPage: reply.isPage };
      }
      if (as && !token) await this.verdicts.note(as, seen, undefined);
      if (as && !token) this.#used(as);
      const { status, read, unfitId, items = [] } = reply;
      return { ok: true, status, read, unfitId, items, secrets: answer.secrets, unfit: answer.unfit };
    } finally {
      if (held) disposeSecrets(held);
    }
  }

  /** Whether its service has a call by which a token tells that it lives. */
  canProbe(manifest: Manifest, entry: Entry): boolean {
    const plan = planned(this.#probeOf(manifest, entry));
    return plan.status === 'ok' && mayMake(plan.call, this.kindOf(manifest, entry));
  }

  /** Whether a token still lives, as its own call tells; undefined where nothing could. The secret is borrowed. */
  async isAlive(manifest: Manifest, entry: Entry, token?: Secret): Promise<boolean | undefined> {
    return (await this.probe(manifest, entry, token)).isAlive;
  }

  /** The same, and whose token it is where it lives. */
  async probe(manifest: Manifest, entry: Entry, token?: Secret): Promise<Probe> {
    if (!this.canProbe(manifest, entry)) return { isAlive: undefined };
    const heard = await this.call({ ...this.#probeOf(manifest, entry), as: entry, token });
    if (heard.ok) {
      disposeAll(heard.secrets);
      return { isAlive: true, holder: holderIn(heard.read), tokenId: tokenIdIn(heard.read) };
    }
    const isRefused = heard.httpStatus === 401 && !heard.isPage;
    const isNamed = heard.cause !== undefined && isDead(heard.cause);
    if (isRefused || isNamed) return { isAlive: false, isNamed };
    return { isAlive: undefined, mayNotAsk: heard.httpStatus === 403 && !heard.isPage };
  }

  #probeOf(manifest: Manifest, entry: Entry): Question {
    return { manifest, operation: 'whoami', kind: this.kindOf(manifest, entry).name, target: entry };
  }

  #used(entry: Entry): void {
    if (this.parts.credentials.entries.at(entry) === entry && entry.lease) this.parts.credentials.leases.touch(entry);
  }

  #note({ id: service }: Manifest, operation: Operation, outcome: string): void {
    this.parts.emit({ kind: 'upstream', service, operation, outcome });
  }
}

/** The id of the token that made the call, as `whoami` tells it; undefined where it does not. */
export function tokenIdIn({ tokenId }: Read): string | undefined {
  return typeof tokenId === 'string' || typeof tokenId === 'number' ? String(tokenId) : undefined;
}

function holderIn({ user, account, tenant }: Read): Holder {
  const texts = Object.entries({ user, account, tenant }).filter(([, value]) => typeof value === 'string');
  return Object.fromEntries(texts) as Holder;
}

/** Whether a call brings its own secret: a password, a code, a refresh token. Every other is made by a token. */
function isOpen(operation: Operation, { refreshToken }: NonNullable<Asked['secrets']>): boolean {
  return operation === 'login' || operation === 'challenge' || refreshToken !== undefined;
}

function signInFirst(manifest: Manifest, operation: Operation, target: Target): Refusal {
  const how = `sign in: keyhold auth login ${placeOptions(manifest, target)}`;
  const why = `no token of ${manifest.title} that may do this is held for that place; ${how}`;
  return refused('interaction-required', operation, why);
}

/** Wipes what an answer brought and nobody keeps. */
export function disposeAll(secrets: ReadonlyMap<string, Secret>): void {
  for (const secret of secrets.values()) secret.dispose();
}

/** A date as services write it, in epoch seconds; undefined if it is none. */
export function dateIn(value: unknown): number | undefined {
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) {
    // Milliseconds, where seconds would be beyond the year 5000.
    return Math.floor(value > 100_000_000_000 ? value / 1_000 : value);
  }
  if (typeof value !== 'string') return undefined;
  const parsed = Date.parse(value);
  return Number.isNaN(parsed) ? undefined : Math.floor(parsed / 1_000);
}

function actable({ path, username, made, about, storedAt }: Entry): Actable {
  const { label, account, kind } = about ?? {};
  return {
    path,
    made,
    label,
    storedAt,
    account,
    kind,
    username: username === undefined ? undefined : fromWire(username),
  };
}
