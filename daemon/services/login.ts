import { randomBytes } from 'node:crypto';
import type { Target } from '../../protocol/credential.ts';
import { asFault } from '../../protocol/errors.ts';
import type { CredentialReply } from '../../protocol/handler.ts';
import type { Secret } from '../../protocol/secret.ts';
import { callOf, kindOf, type Manifest, type Values } from '../../protocol/services/index.ts';
import { withBytes } from '../backends/secrets.ts';
import { heldItem } from '../held-item.ts';
import { item, placeIn, type ServiceAct, type ServiceRequest, textIn, told } from './asking.ts';
import { type Desk, disposeAll, type Heard } from './desk.ts';
import { givenToken } from './given.ts';
import { keepGiven, wired } from './keep.ts';
import { refused } from './outcomes.ts';

/** Seconds that a half-finished login waits for its second factor: services wait as long or less. */
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
  readonly until: number;
};

/**
 * Signs in with a password and keeps the session. Where the service asks for a second factor it is answered with
 * `interaction-required` and a `login` handle, which comes back with the `code`.
 */
export class Logins {
  readonly #challenges = new Map<string, Challenge>();

  readonly login: ServiceAct = async (desk, request) => {
    const { attributes } = request;
    await desk.parts.custody.ready();
    const handle = attributes.text('login');
    if (handle !== undefined) return this.#finish(desk, handle, request);
    const place = placeIn(request);
    const manifest = desk.manifestOf(place, textIn(attributes, 'service'));
    const choice = callOf(manifest, 'login');
    if (choice.status !== 'ok') return refused('unsupported', 'login', choice.why);
    const username = textIn(attributes, 'account');
    const password = attributes.secret('password');
    if (username === undefined || !password) {
      return refused('bad-request', 'login', 'it needs a user name and a password');
    }
    const tenant = textIn(attributes, 'tenant');
    const values: Values = { username, ...(tenant !== undefined && { tenant }) };
    const heard = await desk.call({ manifest, operation: 'login', target: place, values, secrets: { password } });
    if (!heard.ok) return heard.reply;
    const challenge = heard.secrets.get('challenge');
    if (!challenge) return this.#keep(desk, manifest, { place, username, tenant }, heard);
    const kept = withBytes(challenge, desk.parts.keep);
    disposeAll(heard.secrets);
    const login = this.#remember(desk, { manifest, place, username, tenant, secret: kept });
    const factors = manifest.login?.find(({ way }) => way === 'password')?.secondFactor ?? ['totp'];
    return {
      status: 'interaction-required',
      message: `a second factor is needed (${factors.join(' or ')})`,
      details: [['login', login], ...factors.flatMap((factor) => told('factor[]', factor))],
    };
  };

  /** Forgets every half-finished login. */
  dispose(): void {
    for (const { secret } of this.#challenges.values()) secret.dispose();
    this.#challenges.clear();
  }

  async #finish(desk: Desk, handle: string, { attributes }: ServiceRequest): Promise<CredentialReply> {
    this.#sweep(desk);
    const challenge = this.#challenges.get(handle);
    const code = attributes.secret('code');
    if (!challenge) return refused('not-found', 'challenge', 'its time is over; begin again: keyhold auth login');
    if (!code) return refused('bad-request', 'challenge', 'it needs the code');
    const { manifest, place, secret } = challenge;
    const heard = await desk.call({
      manifest,
      operation: 'challenge',
      target: place,
      secrets: { challenge: secret, code },
    });
    // A wrong code may be tried again as long as the service lets it.
    if (!heard.ok) return heard.reply;
    this.#challenges.delete(handle);
    secret.dispose();
    return this.#keep(desk, manifest, challenge, heard);
  }

  async #keep(
    desk: Desk,
    manifest: Manifest,
    { place, username, tenant }: Pick<Challenge, 'place' | 'username' | 'tenant'>,
    heard: Extract<Heard, { ok: true }>,
  ): Promise<CredentialReply> {
    try {
      const named = manifest.login?.find(({ way }) => way === 'password')?.kind;
      const secret = givenToken(manifest, kindOf(manifest, named)?.name, heard, 'sign in');
      const kind = kindOf(manifest, named)?.name;
      const account = typeof heard.read.user === 'string' ? heard.read.user : username;
      const target = { protocol: place.protocol, host: place.host, path: place.path, username: wired(account) };
      const about = { account, origin: 'signed in with keyhold', ...(kind && { kind }), ...(tenant && { tenant }) };
      const refreshToken = heard.secrets.get('refreshToken');
      const given = { target, secret, refreshToken, read: heard.read, about, made: 'login' } as const;
      const entry = await keepGiven(desk, manifest, given);
      return { status: 'ok', ids: [entry.id], details: [item(heldItem(entry))] };
    } catch (error) {
      const { status, message } = asFault(error);
      return { status, message: `${message}; sign in again: keyhold auth login` };
    } finally {
      disposeAll(heard.secrets);
    }
  }

  #remember(desk: Desk, challenge: Omit<Challenge, 'until'>): string {
    this.#sweep(desk);
    for (const [handle, { secret }] of this.#challenges) {
      if (this.#challenges.size < CHALLENGES_MAX) break;
      secret.dispose();
      this.#challenges.delete(handle);
    }
    const handle = randomBytes(10).toString('hex');
    this.#challenges.set(handle, { ...challenge, until: desk.parts.clock.sinceBoot() + CHALLENGE_LIFE });
    return handle;
  }

  #sweep(desk: Desk): void {
    for (const [handle, { until, secret }] of this.#challenges) {
      if (until > desk.parts.clock.sinceBoot()) continue;
      secret.dispose();
      this.#challenges.delete(handle);
    }
  }
}
