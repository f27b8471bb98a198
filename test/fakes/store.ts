import type { Clock } from '../../daemon/clock.ts';
import type { Credential, Target } from '../../protocol/credential.ts';
import type { CredentialReply, CredentialRequest, Handler } from '../../protocol/handler.ts';
import { accountFor, chooseProfile, noProfiles, readProfiles } from '../../protocol/profiles.ts';
import { expose, heapSecret, type Secret } from '../../protocol/secret.ts';
import { fromWire, toWire } from '../../protocol/text.ts';
import { refuseLogin } from './logins.ts';

type Entry = Credential & {
  readonly heldUntil: number;
  readonly label?: string | undefined;
  /** The fronts that list it, and whether anything else than a front has brought it. */
  readonly marks: Set<string>;
  readonly others: boolean;
};
type Grave = { readonly target: Target; readonly secret: Secret; readonly passing: string };

/**
 * The smallest store that follows the rules of PROTOCOL.md §3 and §6, in memory: what a wire test plays against, and what the
 * agent must not differ from. It keeps the entries in the order in which they were stored, the last one last.
 */
export class FakeStore {
  readonly #clock: Clock;
  #entries: Entry[] = [];
  #graves: Grave[] = [];
  #locked = false;
  readonly #denied = new Set<string>();
  #profiles = noProfiles;
  /** By repository and host: the account that git approved, and those that it erased, until when (§6.4). */
  readonly #approved = new Map<string, string>();
  readonly #refused = new Map<string, Map<string, number>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  readonly handler: Handler = async (request) => {
    const { action, target } = request;
    if ((action === 'lock' || action === 'unlock') && request.capabilities.keyhold) {
      this.#locked = action === 'lock';
      return { status: 'ok' };
    }
    if (action === 'annotate' || action === 'bury') {
      return { status: 'not-found', message: `cannot ${action}: nothing with that id is held` };
    }
    if (action === 'list' && request.capabilities.keyhold && request.tool !== undefined)
      return this.#list(request.front);
    const refusal = refuseLogin(request);
    if (refusal) return refusal;
    if (!target) return { status: 'unsupported', message: 'cannot answer: this agent knows no such action' };
    if (this.#denied.has(target.host)) return { status: 'denied', message: 'this caller may not use it' };
    if (this.#locked) return { status: 'locked', message: 'the credentials are locked; run: keyhold unlock' };
    if (action === 'get') return this.#get(target, request);
    if (action === 'store') return this.#store(target, request);
    if (action === 'erase') return this.#erase(target, request);
    if (action === 'same' && request.capabilities.keyhold) return this.#same(target, request);
    if (action === 'explain' && request.tool !== undefined) return this.#explain(target, request);
    return { status: 'unsupported', message: 'cannot answer: it explains nothing' };
  };

  /** What profiles.json holds. */
  profiles(document: unknown): void {
    this.#profiles = readProfiles(document);
  }

  deny(host: string): void {
    this.#denied.add(host);
  }

  /** Buries what is held for a host. */
  revoke(host: string, reason: string): void {
    const passing = `was revoked on ${new Date(this.#clock.now() * 1_000).toISOString().slice(0, 10)} (${reason})`;
    for (const entry of this.#entries.filter((one) => one.host === host)) {
      this.#graves.push({ target: entry, secret: entry.secret!, passing });
    }
    this.#entries = this.#entries.filter((one) => one.host !== host);
  }

  /** How many credentials are held. */
  get size(): number {
    return this.#alive().length;
  }

  /** As much of it as a helper run asks for. */
  #list(front: string | undefined): CredentialReply {
    if (this.#locked) return { status: 'locked', message: 'the credentials are locked; run: keyhold unlock' };
    if (front === undefined) return { status: 'unsupported', message: 'cannot list: it lists nothing' };
    const listed = this.#alive().filter(({ marks }) => marks.has(front));
    const items = listed.map(({ protocol, host, path }) => ({ protocol, host, path }));
    return { status: 'ok', details: items.map((item) => ['item[]', toWire(JSON.stringify(item))]) };
  }

  #explain(target: Target, request: CredentialRequest): CredentialReply {
    const reply = this.#get(target, request);
    const username = reply.status === 'ok' ? reply.credential?.username : undefined;
    const candidate = { verdict: 'given', username: username && fromWire(username) };
    return {
      status: 'ok',
      details: [
        ['outcome', reply.status],
        ['candidate[]', toWire(JSON.stringify(candidate))],
      ],
    };
  }

  #get(target: Target, request: CredentialRequest): CredentialReply {
    const { capabilities, minTtl = 0, profile, cwd } = request;
    const choice = chooseProfile(this.#profiles, profile && fromWire(profile), cwd && fromWire(cwd));
    const account = choice && accountFor(choice.profile, target);
    const matching = this.#matching(target, request).filter(
      (entry) => entry.authtype === undefined || capabilities.authtype,
    );
    const preferred = matching.filter(({ username }) => account !== undefined && username === toWire(account));
    const usable = preferred.length > 0 ? preferred : this.#ofRepository(matching, target, request);
    const fresh = usable.filter(({ expiresAt }) => expiresAt === undefined || expiresAt > this.#clock.now() + minTtl);
    const { front } = request;
    const isNear = ({ marks, others }: Entry) => (front === undefined ? others : marks.has(front));
    // A front's own value before one that it only has a mark of.
    const nearest = fresh.filter(isNear).toSorted((one, other) => Number(one.others) - Number(other.others));
    const credential = (front === undefined ? nearest.at(-1) : nearest.at(0)) ?? fresh.at(-1);
    if (credential) return { status: 'ok', credential };
    if (usable.length > 0) return { status: 'expired', message: 'the credential is past its expiry; store a new one' };
    const grave = this.#graves.findLast((one) => isMatch(one.target, target));
    if (grave) return { status: 'revoked', message: `the token ${grave.passing}; store a new one` };
    return { status: 'not-found', message: 'no credential is held for this target' };
  }

  /** Of those that match, the ones that the request's repository prefers, if it does. */
  #ofRepository(matching: readonly Entry[], target: Target, request: CredentialRequest): readonly Entry[] {
    const place = placeOf(target, request);
    if (place === undefined || target.username !== undefined) return matching;
    const refused = this.#refused.get(place);
    const others = matching.filter(({ username }) => (refused?.get(username ?? '') ?? 0) <= this.#clock.sinceBoot());
    const approved = others.filter(({ username }) => username === this.#approved.get(place));
    return [approved, others, matching].find((some) => some.length > 0) ?? matching;
  }

  #same(target: Target, { secret }: CredentialRequest): CredentialReply {
    if (!secret) return { status: 'bad-request', message: 'cannot compare: there is no password to compare with' };
    const held = this.#matching(target).slice(-16);
    if (held.length === 0) return { status: 'not-found', message: 'no credential is held for this target' };
    const same = held.some((entry) => entry.secret?.equals(secret));
    const details = [['same', String(same)] as const, ['compared', String(held.length)] as const];
    return { status: 'ok', details };
  }

  #store({ ...target }: Target, request: CredentialRequest): CredentialReply {
    const { about, force, secret, authtype, refreshToken, expiresAt, ephemeral, timeout } = request;
    const past = expiresAt !== undefined && expiresAt <= this.#clock.now();
    if (!secret || ephemeral || past) return { status: 'ok' };
    const grave = this.#graves.find((one) => one.secret.equals(secret));
    if (grave && !force) {
      const next = 'make a new one, or force it (keyhold token set --force)';
      return { status: 'revoked', message: `cannot store: this token ${grave.passing}; ${next}` };
    }
    this.#graves = this.#graves.filter((one) => one !== grave);
    const place = placeOf(target, request);
    if (place !== undefined && target.username !== undefined) {
      this.#approved.set(place, target.username);
      this.#refused.delete(place);
    }
    if (about?.label !== undefined && target.username === undefined) {
      const labelled = this.#matching(target).find(({ label }) => label === about.label);
      target = { ...target, username: labelled ? labelled.username : toWire(about.label) };
    }
    const { front, made } = request;
    const there = this.#entries.filter((entry) => isSame(entry, target));
    const equal = there.find((entry) => entry.secret?.equals(secret));
    const marks = front === undefined ? there.find(({ others }) => others)?.marks : [front];
    // Neither a front nor another tool replaces what only the other has brought; the user does.
    const stays = (entry: Entry) => entry !== equal && made === undefined && entry.others === (front !== undefined);
    this.#entries = this.#entries.filter((entry) => !there.includes(entry) || stays(entry));
    this.#entries.push({
      ...target,
      marks: new Set([...(marks ?? []), ...(equal?.marks ?? [])]),
      others: front === undefined || (equal?.others ?? false),
      label: about?.label,
      authtype,
      expiresAt,
      secret: copyOf(secret),
      refreshToken: refreshToken && copyOf(refreshToken),
      heldUntil: timeout === undefined ? Number.POSITIVE_INFINITY : this.#clock.sinceBoot() + timeout,
    });
    return { status: 'ok' };
  }

  #erase(target: Target, request: CredentialRequest): CredentialReply {
    const { secret, front, tool } = request;
    const meant = this.#matching(target, request).filter((entry) => !secret || entry.secret!.equals(secret));
    if (front !== undefined) {
      const listed = meant.filter(({ marks }) => marks.delete(front));
      this.#entries = this.#entries.filter(({ marks, others }) => others || marks.size > 0);
      if (listed.length > 0) return { status: 'ok', details: [['erased', String(listed.length)]] };
      return { status: 'not-found', message: 'no credential is held for this target' };
    }
    const mayAll = secret !== undefined || tool === undefined || tool === 'keyhold';
    const gone = new Set(meant.filter(({ others }) => others || mayAll));
    this.#entries = this.#entries.filter((entry) => !gone.has(entry));
    if (gone.size === 0) return { status: 'not-found', message: 'no credential is held for this target' };
    const place = placeOf(target, request);
    if (place !== undefined) {
      const refused = this.#refused.get(place) ?? new Map<string, number>();
      for (const { username } of gone) if (username !== undefined) refused.set(username, this.#clock.sinceBoot() + 600);
      this.#refused.set(place, refused);
    }
    return { status: 'ok', details: [['erased', String(gone.size)]] };
  }

  #alive(): Entry[] {
    this.#entries = this.#entries.filter(({ heldUntil }) => heldUntil > this.#clock.sinceBoot());
    return this.#entries;
  }

  #matching(target: Target, { exactPath, id }: Pick<CredentialRequest, 'exactPath' | 'id'> = {}): Entry[] {
    // It gives no ids.
    if (id !== undefined) return [];
    return this.#alive().filter((entry) => isMatch(entry, target) && (!exactPath || entry.path === target.path));
  }
}

/** The repository that git's helper works for, and the host; undefined for every other caller. */
function placeOf({ protocol, host }: Target, { tool, repository }: CredentialRequest): string | undefined {
  return tool === 'git' && repository !== undefined ? `${repository} ${protocol}://${host}` : undefined;
}

function isMatch(entry: Target, { protocol, host, path, username }: Target): boolean {
  return (
    entry.protocol === protocol &&
    entry.host === host &&
    (path === undefined || entry.path === path) &&
    (username === undefined || entry.username === username)
  );
}

function isSame(one: Target, other: Target): boolean {
  return (
    one.protocol === other.protocol &&
    one.host === other.host &&
    one.path === other.path &&
    one.username === other.username
  );
}

function copyOf(secret: Secret): Secret {
  const bytes = expose(secret);
  const copy = heapSecret(bytes);
  bytes.fill(0);
  return copy;
}
