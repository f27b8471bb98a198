import { createHash, randomBytes } from 'node:crypto';
import type { Seconds, Target } from '../../protocol/credential.ts';
import type { Grant } from '../../protocol/grant.ts';
import type { CredentialReply, Detail, Refusal } from '../../protocol/handler.ts';
import type { Secret } from '../../protocol/secret.ts';
import { addressOf, belongsTo, isLoopback, secondsOf } from '../../protocol/services/index.ts';
import { fromWire, toWire } from '../../protocol/text.ts';
import { withBytes } from '../backends/secrets.ts';
import type { Entry } from '../credentials/unlocked/set.ts';
import { HalfFinished } from '../half-finished.ts';
import { whyUnfitForm } from '../upstream/incoming.ts';
import type { SecretName } from '../upstream/plan.ts';
import type { UpstreamAnswer } from '../upstream/upstream.ts';
import { deviceCodeOf } from './device-code.ts';
import { strayEndpoint, strayText } from './endpoints.ts';
import { oauthKindOf, willAnswer } from './keep-grant.ts';
import type { LoginWanted, Meant, SignInParts, WayBack } from './login-wanted.ts';
import type { OAuthPlan, OAuthReply, Provider } from './oauth-plan.ts';
import { failed, refused } from './sign-in-outcome.ts';
import { isPage, pageOf } from './sign-in-page.ts';
import { Withheld } from './withheld.ts';

/** Seconds that a person has to sign in; most providers give a code less. */
const LOGIN_LIFE: Seconds = 600;
/** Half-finished logins at a time. Beyond that the oldest ends. */
const LOGINS_MAX = 8;
/** Seconds that are added between two questions whether a device was let in, where the provider says "slow_down" (RFC 8628, 3.5). */
const SLOWER: Seconds = 5;

/** A login that waits for the person: `secret` is the verifier of a browser's, or the code of a device's. */
type Waiting = Meant & {
  readonly way: 'browser' | 'device';
  readonly secret: Secret;
  readonly state: string;
  readonly redirect: string;
  interval: Seconds;
};

/**
 * Logins by OAuth: `authorize` begins one and says where the person has to go, `authorized` ends it. `refresh` asks for a new
 * access token at once.
 */
export class SignIn {
  readonly #parts: SignInParts;
  readonly #waiting: HalfFinished<Waiting>;
  readonly #withheld: Withheld;
  /** Those whose last step is being taken. */
  readonly #ending = new Set<Meant>();

  constructor(parts: SignInParts) {
    this.#parts = parts;
    const dispose = ({ secret }: Waiting) => secret.dispose();
    this.#waiting = new HalfFinished({ clock: parts.clock, life: LOGIN_LIFE, max: LOGINS_MAX, dispose });
    this.#withheld = new Withheld(parts, LOGIN_LIFE, LOGINS_MAX);
  }

  /** Whether a login is under way for what a request for `asked` would be answered with. */
  isUnderWay(asked: Target): boolean {
    return [...this.#waiting, ...this.#ending].some(({ target }) => willAnswer(target, asked));
  }

  dispose(): void {
    this.#waiting.dispose();
    this.#withheld.dispose();
  }

  /** Begins a login: says where the person has to go; with `way` client it is done at once. */
  async authorize(wanted: LoginWanted): Promise<CredentialReply> {
    const { credentials, keep } = this.#parts;
    await credentials.lifecycle.ready();
    const { way, password, redirect = '' } = wanted;
    const meant = await this.#meant(wanted);
    if ('status' in meant) return meant;
    if (way === 'client') return this.#asClient(meant, password);
    if (way === 'device') return this.#byDevice(meant);
    if (way !== 'browser') return refused('bad-request', 'way is browser, device or client');
    const back = addressOf(redirect.replace(/^(http:\/\/[^/]+).*$/, '$1'));
    if (back?.protocol !== 'http' || !isLoopback(back.host))
      return refused('bad-request', 'redirect is not on this machine');
    if (!meant.provider.authorizeUrl) return refused('unsupported', 'the provider has no page to sign in on');
    if (!isPage(meant.provider.authorizeUrl))
      return refused(
        'denied',
        'the page that the provider names is none of https; tell its operator, or look at --issuer',
      );
    const verifier = Buffer.from(randomBytes(32).toString('base64url'), 'latin1');
    const challenge = createHash('sha256').update(verifier).digest('base64url');
    const state = randomBytes(16).toString('base64url');
    const handle = this.#waiting.add({ ...meant, way, secret: keep(verifier), state, redirect, interval: 0 });
    verifier.fill(0);
    const url = pageOf(meant, { redirect, state, challenge });
    return {
      status: 'ok',
      details: [
        ['login', handle],
        ['url', toWire(url)],
        ['state', state],
        ['expires_in', String(LOGIN_LIFE)],
      ],
    };
  }

  async #byDevice(meant: Meant): Promise<CredentialReply> {
    if (!meant.provider.deviceUrl) return refused('unsupported', 'the provider lets no device in by a code');
    const { reply, secrets } = await this.#run(meant, 'device', {});
    const secret = secrets.get('challenge');
    if (!('oauth' in reply) || !secret) return failed(reply);
    const code = deviceCodeOf(reply.oauth, LOGIN_LIFE);
    if ('status' in code) {
      secret.dispose();
      return code;
    }
    const { userCode, url, wholeUrl, interval, life } = code;
    const handle = this.#waiting.add({ ...meant, way: 'device', secret, state: '', redirect: '', interval });
    const whole: Detail[] = wholeUrl ? [['url_complete', toWire(wholeUrl)]] : [];
    return {
      status: 'ok',
      details: [
        ['login', handle],
        ['user_code', toWire(userCode)],
        ['url', toWire(url)],
        ...whole,
        ['interval', String(interval)],
        ['expires_in', String(life)],
      ],
    };
  }

  async #asClient(meant: Meant, password: Secret | undefined): Promise<CredentialReply> {
    if (!password) return refused('bad-request', "it needs the client's secret");
    this.#ending.add(meant);
    try {
      const answer = await this.#run(meant, 'client-credentials', { password });
      return await this.#keep(meant, answer, 'client-secret', password);
    } finally {
      this.#ending.delete(meant);
    }
  }

  /** Ends a login that was begun: by what the browser brought, or by asking whether the device was let in. */
  async authorized(back: WayBack): Promise<CredentialReply> {
    await this.#parts.credentials.lifecycle.ready();
    const { login: handle } = back;
    const login = this.#waiting.get(handle);
    if (!login && this.#withheld.has(handle)) return this.#withheld.end(handle, back);
    if (!login) return refused('not-found', 'its time is over; begin again: keyhold auth login');
    this.#ending.add(login);
    try {
      return await this.#end(handle, login, back);
    } finally {
      this.#ending.delete(login);
    }
  }

  async #end(handle: string, login: Waiting, back: WayBack): Promise<CredentialReply> {
    const { error, code, issuer: backIssuer } = back;
    if (login.way === 'device' && error === undefined) return this.#poll(handle, login);
    // Each way back is good for one attempt: a code is spent, and a wrong state belongs to another login.
    this.#waiting.take(handle);
    try {
      // The page said no, or the command that asked waits no more.
      if (login.way === 'device') return failed({ error: error!, status: 400 });
      if (error !== undefined && back.state === login.state) return failed({ error, status: 400 });
      if (back.state !== login.state)
        return refused('denied', 'the browser came back from another login; nothing is kept; begin again');
      if (!code) return refused('bad-request', 'it needs the code that the browser brought');
      const { redirect, state, secret } = login;
      const why = whyOtherIssuer(login.provider, backIssuer);
      if (why) return refused('denied', `${why}; the code is not sent; nothing is kept; begin again`);
      const answer = await this.#run(login, 'redeem', { code, challenge: secret }, { redirect, state, backIssuer });
      return await this.#keep(login, answer, 'refresh-token');
    } finally {
      login.secret.dispose();
    }
  }

  async #poll(handle: string, login: Waiting): Promise<CredentialReply> {
    const answer = await this.#run(login, 'poll', { challenge: login.secret });
    const { reply } = answer;
    if ('error' in reply && (reply.error === 'authorization_pending' || reply.error === 'slow_down')) {
      if (reply.error === 'slow_down') login.interval += SLOWER;
      return {
        status: 'ok',
        details: [
          ['pending', '1'],
          ['interval', String(login.interval)],
        ],
      };
    }
    // An outage is no answer: the code is good as long as it was.
    if ('failure' in reply || ('error' in reply && reply.status >= 500)) return failed(reply);
    this.#waiting.end(handle);
    return this.#keep(login, answer, 'refresh-token');
  }

  /** Asks for a new access token of a login at once, also where a refresh was cut off. */
  async refresh(entry: Entry): Promise<CredentialReply> {
    const outcome = await this.#parts.refresher.refresh(entry, true);
    return outcome.status === 'refreshed' ? { status: 'ok', ids: [entry.id] } : outcome.reply;
  }

  async #keep(
    meant: Meant,
    { reply, secrets, unfit }: Answer,
    by: Grant['by'],
    password?: Secret,
  ): Promise<CredentialReply> {
    const { whoseToken, clock } = this.#parts;
    const grantedAt = clock.now();
    try {
      const [bad] = unfit ?? [];
      if (bad) return unfitToken(bad[1]);
      const value = secrets.get('value');
      if (!('oauth' in reply) || !value) return failed(reply);
      const { manifest } = meant;
      const kind = oauthKindOf(manifest);
      const why = kind && withBytes(value, (bytes) => whyUnfitForm(manifest!, bytes, kind));
      if (why !== undefined) return unfitToken(why);
      const refreshToken = by === 'client-secret' ? password : secrets.get('refreshToken');
      const token = { place: meant.target, kind, secret: value };
      const account = reply.oauth.subject ?? (manifest && (await whoseToken(manifest, token)).name);
      const login = { meant, given: reply.oauth, by, account, grantedAt };
      return await this.#withheld.keepUnlessOther(login, { secret: value, refreshToken });
    } finally {
      for (const secret of secrets.values()) secret.dispose();
    }
  }

  /** Whose provider is meant: the service's, or one that the person names. Its own document tells the rest. */
  async #meant({ target, service, issuer: issuerGiven, ...asked }: LoginWanted): Promise<Meant | Refusal> {
    // Who signs in again need not say where: that is known of the login before.
    const before = issuerGiven === undefined ? this.#loginAt(target) : undefined;
    const known = before?.about?.oauth;
    const named = service ?? before?.about?.service;
    const manifest = this.#parts.services().find(({ id }) => id === named);
    if (named !== undefined && !manifest)
      return refused('not-found', 'there is no such service; see: keyhold service list');
    const given = manifest?.oauth;
    if (manifest && !given) return refused('unsupported', `${manifest.title} has no login of this kind`);
    if (manifest && !belongsTo(target, manifest)) return refused('denied', `it is no server of ${manifest.title}`);
    const own = `${fromWire(target.protocol)}://${fromWire(target.host)}`;
    const whole = (template: string | undefined) => template?.replaceAll('{origin}', own);
    const issuer = issuerGiven ?? known?.issuer ?? whole(given?.issuer ?? (given?.token && '{origin}'));
    const clientId = asked.clientId ?? known?.clientId ?? given?.clientId;
    if (issuer === undefined) return refused('bad-request', 'it is not known who the provider is; give --issuer URL');
    if (clientId === undefined)
      return refused('bad-request', 'the provider knows programs by an id; give --client-id ID');
    const scopes = asked.scopes ?? known?.scopes ?? given?.scopes;
    const leeway = given?.leeway === undefined ? undefined : secondsOf(given.leeway);
    const place = { ...target, path: target.path ?? before?.path, username: target.username ?? before?.username };
    const meant = { target: place, manifest, scopes, leeway, provider: { issuer, clientId } };
    if (given?.token && given.issuer === undefined && issuerGiven === undefined) {
      const [authorizeUrl, deviceUrl, revokeUrl, introspectUrl] = [
        given.authorize,
        given.device,
        given.revoke,
        given.introspect,
      ].map(whole);
      const tokenUrl = whole(given.token);
      return { ...meant, provider: { ...meant.provider, tokenUrl, authorizeUrl, deviceUrl, revokeUrl, introspectUrl } };
    }
    const { reply } = await this.#run(meant, 'discover', {});
    if (!('oauth' in reply) || !reply.oauth.provider) return failed(reply);
    const provider = reply.oauth.provider;
    if (!provider.tokenUrl) return refused('unsupported', 'the provider gives out no tokens');
    const stray = strayEndpoint(provider, manifest);
    return stray ? refused('denied', strayText(provider, stray)) : { ...meant, provider };
  }

  /** The login that is kept for a target, ended or not. */
  #loginAt(target: Target): Entry | undefined {
    return this.#parts.credentials.entries.find(target, ({ about }) => about?.oauth !== undefined);
  }

  #run(
    { provider, scopes }: Meant,
    act: OAuthPlan['act'],
    secrets: Readonly<Partial<Record<SecretName, Secret>>>,
    more: Partial<OAuthPlan> = {},
  ): Promise<Answer> {
    return this.#parts.upstream.run('oauth', { ...this.#parts.route(), ...provider, scopes, act, ...more }, secrets);
  }
}

type Answer = UpstreamAnswer<OAuthReply>;

/** Why a browser's way back is not from the provider that it was sent to (RFC 9207, 2.4); undefined where it may be. */
function whyOtherIssuer({ issuer, namesIssuer }: Provider, backIssuer: string | undefined): string | undefined {
  if (backIssuer !== undefined && backIssuer !== issuer)
    return `the browser came back from another provider than ${issuer}`;
  if (backIssuer !== undefined || !namesIssuer) return undefined;
  return `the browser came back without the issuer, which ${issuer} says that it always names`;
}

/** A login that brought what cannot be kept: an earlier one for the same target stays as it is. */
function unfitToken(why: string): Refusal {
  return refused('unavailable', `the provider answered a token that cannot be kept: ${why}; nothing was replaced`);
}
