import { createHash, randomBytes } from 'node:crypto';
import type { Attributes } from '../../protocol/attributes.ts';
import type { Seconds, Target } from '../../protocol/credential.ts';
import { KeyholdError } from '../../protocol/errors.ts';
import type { Grant } from '../../protocol/grant.ts';
import type { CredentialReply, CredentialRequest, Detail } from '../../protocol/handler.ts';
import type { Secret, SecretKeeper } from '../../protocol/secret.ts';
import { addressOf, isLoopback, type Manifest, secondsOf } from '../../protocol/services/index.ts';
import { fromWire, toWire } from '../../protocol/text.ts';
import type { Clock } from '../clock.ts';
import type { Custody } from '../custody.ts';
import type { Log } from '../log.ts';
import type { Entry } from '../unlocked/set.ts';
import { keepGrant } from './keep-grant.ts';
import type { OAuthPlan, OAuthReply, Provider } from './oauth-plan.ts';
import type { Route, SecretName } from './plan.ts';
import type { Refresher, RefresherParts } from './refresher.ts';
import type { Upstream } from './upstream.ts';

/** Seconds that a person has to sign in; most providers give a code less. */
const LOGIN_LIFE: Seconds = 600;
/** Half-finished logins at a time. Beyond that the oldest ends. */
const LOGINS_MAX = 8;
/** Seconds between two questions whether a device was let in, where the provider does not say (RFC 8628, 3.2), and what it adds. */
const INTERVAL: Seconds = 5;
const SLOWER: Seconds = 5;
/** Characters of an address or a client's id. */
const TEXT_MAX = 512;

export type SignInParts = {
  readonly custody: Custody;
  readonly marks: RefresherParts['marks'];
  readonly refresher: Refresher;
  readonly upstream: Pick<Upstream, 'run'>;
  readonly route: () => Route;
  readonly services: () => readonly Manifest[];
  readonly clock: Clock;
  readonly keep: SecretKeeper;
  readonly log: Log;
};

/** What a login is for, and at which provider. */
export type Meant = {
  readonly target: Target;
  readonly manifest: Manifest | undefined;
  readonly provider: Provider;
  readonly scopes: readonly string[] | undefined;
  readonly leeway: Seconds | undefined;
};

/** A login that waits for the person: `secret` is the verifier of a browser's, or the code of a device's. */
type Waiting = Meant & {
  readonly way: 'browser' | 'device';
  readonly secret: Secret;
  readonly state: string;
  readonly redirect: string;
  readonly until: Seconds;
  interval: Seconds;
};

/**
 * Logins by OAuth: `authorize` begins one and says where the person has to go, `authorized` ends it. `refresh` asks for a new
 * access token at once.
 */
export class SignIn {
  readonly #parts: SignInParts;
  readonly #waiting = new Map<string, Waiting>();

  constructor(parts: SignInParts) {
    this.#parts = parts;
  }

  /** Answers an action of logins; undefined if there is none of that name. */
  answer(request: CredentialRequest): Promise<CredentialReply> | undefined {
    if (!request.capabilities.keyhold) return undefined;
    if (request.action === 'authorize') return this.#authorize(request);
    if (request.action === 'authorized') return this.#authorized(request);
    return request.action === 'refresh' ? this.#refresh(request) : undefined;
  }

  dispose(): void {
    for (const { secret } of this.#waiting.values()) secret.dispose();
    this.#waiting.clear();
  }

  async #authorize(request: CredentialRequest): Promise<CredentialReply> {
    const { attributes } = request;
    const { custody, keep } = this.#parts;
    await custody.ready();
    const way = attributes.text('way');
    const meant = await this.#meant(request);
    if ('status' in meant) return meant;
    if (way === 'client') return this.#asClient(meant, attributes.secret('password'));
    if (way === 'device') return this.#byDevice(meant);
    if (way !== 'browser') return refused('bad-request', 'way is browser, device or client');
    const redirect = textIn(attributes, 'redirect') ?? '';
    const back = addressOf(redirect.replace(/^(http:\/\/[^/]+).*$/, '$1'));
    if (back?.protocol !== 'http' || !isLoopback(back.host))
      return refused('bad-request', 'redirect is not on this machine');
    if (!meant.provider.authorizeUrl) return refused('unsupported', 'the provider has no page to sign in on');
    const verifier = Buffer.from(randomBytes(32).toString('base64url'), 'latin1');
    const challenge = createHash('sha256').update(verifier).digest('base64url');
    const state = randomBytes(16).toString('base64url');
    const handle = this.#remember({ ...meant, way, secret: keep(verifier), state, redirect, interval: 0 });
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
    const { userCode = '', verificationUrl = '', verificationUrlComplete, interval = INTERVAL } = reply.oauth;
    const handle = this.#remember({ ...meant, way: 'device', secret, state: '', redirect: '', interval });
    const whole: Detail[] = verificationUrlComplete ? [['url_complete', toWire(verificationUrlComplete)]] : [];
    return {
      status: 'ok',
      details: [
        ['login', handle],
        ['user_code', toWire(userCode)],
        ['url', toWire(verificationUrl)],
        ...whole,
        ['interval', String(interval)],
        ['expires_in', String(LOGIN_LIFE)],
      ],
    };
  }

  async #asClient(meant: Meant, password: Secret | undefined): Promise<CredentialReply> {
    if (!password) return refused('bad-request', "it needs the client's secret");
    const answer = await this.#run(meant, 'client-credentials', { password });
    return this.#keep(meant, answer, 'client-secret', password);
  }

  async #authorized({ attributes }: CredentialRequest): Promise<CredentialReply> {
    await this.#parts.custody.ready();
    this.#sweep();
    const handle = attributes.text('login') ?? '';
    const login = this.#waiting.get(handle);
    if (!login) return refused('not-found', 'its time is over; begin again: keyhold auth login');
    if (login.way === 'device') return this.#poll(handle, login);
    // Each way back is good for one attempt: a code is spent, and a wrong state is somebody else's.
    this.#waiting.delete(handle);
    try {
      const code = attributes.secret('code');
      if (!code) return refused('bad-request', 'it needs the code that the browser brought');
      if (attributes.text('state') !== login.state)
        return refused('denied', 'the browser came back from another login');
      const { redirect, state, secret } = login;
      const backIssuer = textIn(attributes, 'issuer');
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
    this.#waiting.delete(handle);
    login.secret.dispose();
    return this.#keep(login, answer, 'refresh-token');
  }

  async #refresh({ attributes }: CredentialRequest): Promise<CredentialReply> {
    const { custody, refresher } = this.#parts;
    await custody.ready();
    const id = attributes.text('id');
    const entry = [...custody.held()].find((one) => one.id === id);
    if (!entry) return refused('not-found', 'nothing with that id is held');
    if (!entry.about?.oauth) return refused('unsupported', 'it is no token of a login here; nothing refreshes it');
    const outcome = await refresher.refresh(entry, true);
    return outcome.status === 'refreshed' ? { status: 'ok', ids: [entry.id] } : outcome.reply;
  }

  async #keep(meant: Meant, { reply, secrets }: Answer, by: Grant['by'], password?: Secret): Promise<CredentialReply> {
    const { custody, marks, clock, log } = this.#parts;
    try {
      const value = secrets.get('value');
      if (!('oauth' in reply) || !value) return failed(reply);
      const refreshToken = by === 'client-secret' ? password : secrets.get('refreshToken');
      const entry: Entry = await keepGrant({ custody, marks, clock }, meant, reply.oauth, by, {
        secret: value,
        refreshToken,
      });
      log('signed-in', { id: entry.id, service: meant.manifest?.id });
      const refreshes = refreshToken ? '1' : '0';
      return {
        status: 'ok',
        ids: [entry.id],
        details: [
          ['id', entry.id],
          ['refreshes', refreshes],
        ],
      };
    } finally {
      for (const secret of secrets.values()) secret.dispose();
    }
  }

  /** Whose provider is meant: the service's, or one that the person names. Its own document tells the rest. */
  async #meant({ attributes, target }: CredentialRequest): Promise<Meant | Refusal> {
    if (!target) return refused('bad-request', 'it needs protocol and host');
    const named = attributes.text('service');
    const manifest = this.#parts.services().find(({ id }) => id === named);
    if (named !== undefined && !manifest)
      return refused('not-found', 'there is no such service; see: keyhold service list');
    const given = manifest?.oauth;
    if (manifest && !given) return refused('unsupported', `${manifest.title} has no login of this kind`);
    const own = `${fromWire(target.protocol)}://${fromWire(target.host)}`;
    const issuer = textIn(attributes, 'issuer') ?? given?.issuer?.replaceAll('{origin}', own);
    const clientId = textIn(attributes, 'client_id') ?? given?.clientId;
    if (issuer === undefined) return refused('bad-request', 'it is not known who the provider is; give --issuer URL');
    if (clientId === undefined)
      return refused('bad-request', 'the provider knows programs by an id; give --client-id ID');
    const asked = textIn(attributes, 'scopes')
      ?.split(' ')
      .filter((one) => one !== '');
    const scopes = asked ?? given?.scopes;
    const leeway = given?.leeway === undefined ? undefined : secondsOf(given.leeway);
    const meant = { target, manifest, scopes, leeway, provider: { issuer, clientId } };
    const { reply } = await this.#run(meant, 'discover', {});
    if (!('oauth' in reply) || !reply.oauth.provider) return failed(reply);
    const provider = reply.oauth.provider;
    if (!provider.tokenUrl) return refused('unsupported', 'the provider gives out no tokens');
    return { ...meant, provider };
  }

  #run(
    { provider, scopes }: Meant,
    act: OAuthPlan['act'],
    secrets: Readonly<Partial<Record<SecretName, Secret>>>,
    more: Partial<OAuthPlan> = {},
  ): Promise<Answer> {
    return this.#parts.upstream.run('oauth', { ...this.#parts.route(), ...provider, scopes, act, ...more }, secrets);
  }

  #remember(login: Omit<Waiting, 'until'>): string {
    this.#sweep();
    for (const [handle, { secret }] of this.#waiting) {
      if (this.#waiting.size < LOGINS_MAX) break;
      secret.dispose();
      this.#waiting.delete(handle);
    }
    const handle = randomBytes(10).toString('hex');
    this.#waiting.set(handle, { ...login, until: this.#parts.clock.sinceBoot() + LOGIN_LIFE });
    return handle;
  }

  #sweep(): void {
    for (const [handle, { until, secret }] of this.#waiting) {
      if (until > this.#parts.clock.sinceBoot()) continue;
      secret.dispose();
      this.#waiting.delete(handle);
    }
  }
}

type Answer = { readonly reply: OAuthReply; readonly secrets: ReadonlyMap<SecretName, Secret> };
type Refusal = Exclude<CredentialReply, { status: 'ok' }>;

/** Where the browser goes (RFC 6749, 4.1.1, and RFC 7636, 4.3). */
function pageOf(
  { provider, scopes }: Meant,
  { redirect, state, challenge }: { readonly redirect: string; readonly state: string; readonly challenge: string },
): string {
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: provider.clientId,
    redirect_uri: redirect,
    state,
    code_challenge: challenge,
    code_challenge_method: 'S256',
    ...(scopes && { scope: scopes.join(' ') }),
    // Without it OpenID Connect gives no refresh token (Core 1.0, 11).
    ...(scopes?.includes('offline_access') && { prompt: 'consent' }),
  });
  const page = provider.authorizeUrl!;
  return `${page}${page.includes('?') ? '&' : '?'}${query}`;
}

function failed(reply: OAuthReply): Refusal {
  if ('error' in reply) {
    const said: Record<string, [Refusal['status'], string]> = {
      access_denied: ['denied', 'the person, or the provider, said no'],
      expired_token: ['interaction-required', 'the code was not used in time; begin again: keyhold auth login'],
      invalid_grant: ['interaction-required', 'the code is spent or too old; begin again: keyhold auth login'],
      invalid_client: ['denied', 'the provider does not know this program, or not by that secret; look at --client-id'],
      unauthorized_client: ['denied', 'the provider does not let this program sign in that way'],
      invalid_scope: ['denied', 'the provider does not grant one of the scopes; look at --scopes'],
    };
    const [status, why] = said[reply.error] ?? [
      'unavailable',
      `the provider refused it (${reply.status}); try again later`,
    ];
    return refused(status, why);
  }
  if ('failure' in reply) {
    const why =
      reply.failure === 'unfit'
        ? 'its address is none that a secret may be sent to: it needs https'
        : `the provider gave no answer that could be used (${reply.failure}${reply.why ? `, ${reply.why}` : ''})`;
    return refused(reply.failure === 'unfit' ? 'denied' : 'unavailable', why);
  }
  return refused('unavailable', 'the provider gave no token');
}

function refused(status: Refusal['status'], why: string): Refusal {
  return { status, message: `cannot sign in: ${why}` };
}

function textIn(attributes: Attributes, key: string): string | undefined {
  const value = attributes.text(key);
  if (value === undefined || value === '') return undefined;
  if (value.length > TEXT_MAX)
    throw new KeyholdError('bad_request', `cannot read ${key}: it is longer than ${TEXT_MAX} bytes`);
  return fromWire(value);
}
