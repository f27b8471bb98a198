import type { Target } from '../../protocol/credential.ts';
import { asFault } from '../../protocol/errors.ts';
import type { CredentialReply } from '../../protocol/handler.ts';
import type { Secret, SecretKeeper } from '../../protocol/secret.ts';
import { callOf, kindOf, type Manifest, type Values } from '../../protocol/services/index.ts';
import { withBytes } from '../backends/secrets.ts';
import type { Clock } from '../clock.ts';
import type { CredentialStore } from '../credentials/held/credential-store.ts';
import { heldItem } from '../credentials/held-item.ts';
import type { Entry } from '../credentials/unlocked/set.ts';
import { HalfFinished } from '../half-finished.ts';
import { item, told } from './asking.ts';
import { type CallParts, call, disposeAll, type Heard } from './call.ts';
import { givenToken } from './given.ts';
import { type Given, type KeepParts, keepGiven, wired } from './keep.ts';
import { refused } from './outcomes.ts';
import { unheldAt } from './unheld.ts';
import { type KnownServices, serviceAt } from './which-service.ts';
import { whoseToken } from './whose.ts';

/** What signing in with a password needs. */
export type LoginParts = CallParts &
  KeepParts &
  KnownServices & { readonly credentials: Pick<CredentialStore, 'lifecycle'>; readonly keep: SecretKeeper };

/** Seconds that a half-finished login waits for its second factor or for the person's consent: services wait as long or less. */
const CHALLENGE_LIFE = 300;
/** Half-finished logins at a time. Beyond that the oldest ends. */
const CHALLENGES_MAX = 8;

/** A login whose password was right and whose second factor is awaited. */
type Challenge = {
  readonly manifest: Manifest;
  readonly place: Target;
  readonly username: string;
  readonly tenant: string | undefined;
  readonly secret: Secret;
};

/** A session that the service gave and that is not kept yet: it would replace a token that the person has not agreed to replace. */
type Staged = {
  readonly manifest: Manifest;
  readonly target: Target;
  readonly account: string;
  readonly given: Omit<Given, 'onlyOver'>;
};

type Pending = { readonly challenge: Challenge } | { readonly staged: Staged };

/** What a person signs in with. Texts are text for people; the password is borrowed. */
export type LoginRequest = {
  readonly place: Target;
  readonly service: string | undefined;
  readonly account: string | undefined;
  readonly password: Secret | undefined;
  readonly tenant: string | undefined;
};

/** The second factor of a login, or whether its session may replace the token with the id `replaces`. */
export type LoginAnswer = {
  readonly handle: string;
  readonly code: Secret | undefined;
  readonly replaces: string | undefined;
  readonly isDropped: boolean;
};

/**
 * Signs in with a password and keeps the session. Where the service asks for a second factor it is answered with
 * `interaction-required` and a `login` handle, which comes back with the `code`. The same where the session would replace a token
 * that is none of an earlier login of that account: the handle comes back with `replace`, or with `drop=1`.
 */
export class Logins {
  readonly #pending: HalfFinished<Pending>;

  constructor(clock: Clock) {
    this.#pending = new HalfFinished({ clock, life: CHALLENGE_LIFE, max: CHALLENGES_MAX, dispose: disposePending });
  }

  /** Begins a login. */
  async begin(parts: LoginParts, asked: LoginRequest): Promise<CredentialReply> {
    const { place, account: username, password, tenant } = asked;
    await parts.credentials.lifecycle.ready();
    const manifest = serviceAt(parts, place, asked.service);
    const choice = callOf(manifest, 'login');
    if (choice.status !== 'ok') return refused('unsupported', 'login', choice.why);
    if (username === undefined || !password) {
      return refused('bad-request', 'login', 'it needs a user name and a password');
    }
    const values: Values = { username, ...(tenant !== undefined && { tenant }) };
    const heard = await call(parts, { manifest, operation: 'login', target: place, values, secrets: { password } });
    if (!heard.ok) return heard.reply;
    const challenge = heard.secrets.get('challenge');
    if (!challenge) return this.#keep(parts, manifest, { place, username, tenant }, heard);
    const kept = withBytes(challenge, parts.keep);
    disposeAll(heard.secrets);
    const login = this.#pending.add({ challenge: { manifest, place, username, tenant, secret: kept } });
    const factors = manifest.login?.find(({ way }) => way === 'password')?.secondFactor ?? ['totp'];
    return {
      status: 'interaction-required',
      message: `a second factor is needed (${factors.join(' or ')})`,
      details: [['login', login], ...factors.flatMap((factor) => told('factor[]', factor))],
    };
  }

  /** Forgets every half-finished login. */
  dispose(): void {
    this.#pending.dispose();
  }

  /** Goes on with a login that was begun. */
  async goOn(parts: LoginParts, { handle, code, replaces, isDropped }: LoginAnswer): Promise<CredentialReply> {
    await parts.credentials.lifecycle.ready();
    const pending = this.#pending.get(handle);
    if (!pending) return refused('not-found', 'challenge', 'its time is over; begin again: keyhold auth login');
    if ('staged' in pending) {
      if (isDropped) return this.#drop(parts, handle, pending);
      if (replaces === undefined) return refused('bad-request', 'login', 'it needs replace=ID, or drop=1');
      return this.#keepStaged(parts, handle, pending, replaces);
    }
    if (!code) return refused('bad-request', 'challenge', 'it needs the code');
    const { manifest, place, secret } = pending.challenge;
    const heard = await call(parts, {
      manifest,
      operation: 'challenge',
      target: place,
      secrets: { challenge: secret, code },
    });
    // A wrong code may be tried again as long as the service lets it.
    if (!heard.ok) return heard.reply;
    this.#pending.end(handle);
    return this.#keep(parts, manifest, pending.challenge, heard);
  }

  /** Keeps a session under the name that the service has for its account, which may be another one than was typed. */
  async #keep(
    parts: LoginParts,
    manifest: Manifest,
    { place, username, tenant }: Pick<Challenge, 'place' | 'username' | 'tenant'>,
    heard: Extract<Heard, { ok: true }>,
  ): Promise<CredentialReply> {
    try {
      const kind = kindOf(manifest, manifest.login?.find(({ way }) => way === 'password')?.kind)?.name;
      const secret = givenToken(manifest, kind, heard, 'sign in');
      const { user } = heard.read;
      const named = typeof user === 'string' ? { name: user, isRefused: false } : undefined;
      const holder = named ?? (await whoseToken(parts, manifest, { place, kind, secret }));
      if (holder.isRefused) {
        const why = `${manifest.title} does not take the session that it has just given; what was held stays`;
        return refused('interaction-required', 'login', why);
      }
      const account = holder.name ?? username;
      const target = { protocol: place.protocol, host: place.host, path: place.path, username: wired(account) };
      const about = { account, origin: 'signed in with keyhold', ...(kind && { kind }), ...(tenant && { tenant }) };
      const refreshToken = heard.secrets.get('refreshToken');
      const given = { target, secret, refreshToken, read: heard.read, about, made: 'login' } as const;
      const before = parts.credentials.entries.at(target);
      if (before && !isEarlierLogin(before, account)) {
        return this.#stage(parts, before, { manifest, target, account, given });
      }
      const seen = { storedAt: before?.storedAt ?? 0 };
      return kept(await keepGiven(parts, manifest, { ...given, onlyOver: seen }));
    } catch (error) {
      const { status, message } = asFault(error);
      return { status, message: `${message}; sign in again: keyhold auth login` };
    } finally {
      disposeAll(heard.secrets);
    }
  }

  /** Keeps copies of a session until the person has said whether it may replace what stands in its place. */
  #stage(parts: Pick<LoginParts, 'keep'>, before: Entry, { given, ...staged }: Staged): CredentialReply {
    const copy = (secret: Secret) => withBytes(secret, parts.keep);
    const secret = copy(given.secret);
    const refreshToken = given.refreshToken && copy(given.refreshToken);
    const login = this.#pending.add({ staged: { ...staged, given: { ...given, secret, refreshToken } } });
    const why = `the account is ${staged.account} at ${staged.manifest.title}, and another token is held for it that no login made`;
    return {
      ...refused('interaction-required', 'login', `${why}; nothing was changed`),
      details: [['login', login], ['replaces', before.id], ...told('account', staged.account)],
    };
  }

  async #keepStaged(
    parts: LoginParts,
    handle: string,
    { staged }: Extract<Pending, { staged: Staged }>,
    replaces: string,
  ): Promise<CredentialReply> {
    const { manifest, target, given, account } = staged;
    const before = parts.credentials.entries.at(target);
    if (before && before.id !== replaces && !isEarlierLogin(before, account)) {
      const why = `another token was stored for ${account} meanwhile, and that one stays`;
      return refused('denied', 'login', `${why}; sign in again: keyhold auth login`);
    }
    try {
      const seen = { storedAt: before?.storedAt ?? 0 };
      return kept(await keepGiven(parts, manifest, { ...given, onlyOver: seen }));
    } catch (error) {
      const { status, message } = asFault(error);
      return { status, message: `${message}; sign in again: keyhold auth login` };
    } finally {
      this.#pending.end(handle);
    }
  }

  /** Ends a session at its service that is not going to be kept, where it has a call for that. */
  async #drop(
    parts: CallParts,
    handle: string,
    { staged: { manifest, target, given } }: Extract<Pending, { staged: Staged }>,
  ): Promise<CredentialReply> {
    try {
      const ghost = unheldAt(manifest, target, given.about.kind ?? manifest.kinds[0]!.name);
      const question = { manifest, operation: 'revokeSelf', kind: given.about.kind, target } as const;
      const heard = await call(parts, { ...question, as: ghost, token: given.secret });
      if (heard.ok) disposeAll(heard.secrets);
      return { status: 'ok', details: [['upstream', heard.ok ? 'revoked' : 'kept']] };
    } finally {
      this.#pending.end(handle);
    }
  }
}

/** Whether what stands in a place is a login of that account, which a new one replaces unasked. */
function isEarlierLogin({ made, about }: Entry, account: string): boolean {
  const isLogin = made === undefined || made === 'login';
  return isLogin && (about?.account === undefined || about.account === account);
}

function kept(entry: Entry): CredentialReply {
  return { status: 'ok', ids: [entry.id], details: [item(heldItem(entry))] };
}

function disposePending(pending: Pending): void {
  if ('challenge' in pending) pending.challenge.secret.dispose();
  else {
    pending.staged.given.secret.dispose();
    pending.staged.given.refreshToken?.dispose();
  }
}
