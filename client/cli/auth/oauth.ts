import { setTimeout as sleep } from 'node:timers/promises';
import type { CredentialReply } from '../../../protocol/handler.ts';
import { heapSecret, type Secret } from '../../../protocol/secret.ts';
import { exitCodeOf } from '../../../protocol/status.ts';
import { toWire } from '../../../protocol/text.ts';
import { hasDisplay, openPage } from '../../services/open.ts';
import { ask, detail, requestOf, withAgent } from '../agent.ts';
import { CommandFailure } from '../failure.ts';
import { remark } from '../page.ts';
import { readSecret } from '../secret-input.ts';
import { urlOf } from '../target.ts';
import { nobodyToAsk } from '../terminal.ts';
import { type TokenItem, tokenItems } from '../token/item.ts';
import { SERVICE_DEADLINE } from '../token/service-place.ts';
import { isWithheld, keepOver } from './keep-over.ts';
import type { OAuthPlace } from './oauth-place.ts';
import type { LoginOptions, OAuthWay } from './options.ts';
import { type Brought, openWayBack } from './way-back.ts';

/** Where a browser comes back to, unless the provider knows another place: a free port, by RFC 8252. */
const REDIRECT = 'http://127.0.0.1/back';
/** Seconds between two questions whether a device was let in at most: a pause that an outage has made longer. */
const INTERVAL_MAX = 60;

/** Signs in at a provider, and answers the token that is held now. */
export async function byOAuth(way: OAuthWay, place: OAuthPlace, options: LoginOptions): Promise<TokenItem> {
  const needsPage = way !== 'client';
  if (needsPage && !options.input) {
    throw nobodyToAsk('a login', `a person has to go to a page; run: ${commandFor(way, place, options)}`);
  }
  const reply = await { browser: byBrowser, device: byDevice, client: byClient }[way](place, options);
  return withAgent(async (agent) => {
    const done = isWithheld(reply)
      ? await keepOver(agent, { action: 'authorized', details: reply.details }, options)
      : reply;
    if (done.status !== 'ok') throw new CommandFailure(exitCodeOf(done.status), done.message);
    const id = detail(done.details, 'id');
    const { label, tenant } = options;
    if (label !== undefined || tenant !== undefined) {
      const attributes = { id, label: label && toWire(label), tenant: tenant && toWire(tenant) };
      await ask(agent, 'annotate', { attributes });
    }
    const item = (await tokenItems(agent)).find((one) => one.id === id);
    if (!item) throw new CommandFailure(exitCodeOf('not-found'), 'the login was kept, and is gone again');
    if (item.refresh === undefined)
      remark('keyhold: the provider gave no refresh token: sign in again when it is over');
    return item;
  }, SERVICE_DEADLINE);
}

/** The command for a terminal of a person who can go to a page. */
function commandFor(way: OAuthWay, { manifest, target }: OAuthPlace, { issuer, clientId }: LoginOptions): string {
  const words = [
    `keyhold auth login --way ${way}`,
    manifest && `--service ${manifest.id}`,
    `--for ${urlOf(target)}`,
    issuer && `--issuer ${issuer}`,
    clientId && `--client-id ${clientId}`,
  ];
  return words.filter(Boolean).join(' ');
}

async function byBrowser(place: OAuthPlace, options: LoginOptions): Promise<CredentialReply> {
  await using back = await openWayBack(options.redirect ?? REDIRECT);
  const begun = await begin(place, options, { way: 'browser', redirect: toWire(back.redirect) });
  const url = detail(begun.details, 'url')!;
  const isOpened = hasDisplay() && (await openPage(url));
  remark(`keyhold: sign in ${isOpened ? 'on the page that opens' : 'on this page'}: ${url}`);
  const seconds = patience(begun, options);
  const brought = await back.first(seconds * 1_000);
  let isSignedIn = false;
  try {
    const done = await end(begun, brought ?? { error: 'expired_token', state: detail(begun.details, 'state') });
    isSignedIn = true;
    return done;
  } catch (error) {
    if (brought || !(error instanceof CommandFailure)) throw error;
    throw new CommandFailure(
      exitCodeOf('interaction-required'),
      `cannot sign in: nobody came back from the page within ${seconds} s; begin again, or by a code: --way device`,
    );
  } finally {
    back.answer(isSignedIn);
  }
}

async function byDevice(place: OAuthPlace, options: LoginOptions): Promise<CredentialReply> {
  const begun = await begin(place, options, { way: 'device' });
  const of = (key: string) => detail(begun.details, key);
  const whole = of('url_complete');
  remark(
    `keyhold: enter the code ${of('user_code')} at ${of('url')}${whole === undefined ? '' : `, or go to ${whole}`}`,
  );
  const seconds = patience(begun, options);
  const until = performance.now() + seconds * 1_000;
  let interval = Number(of('interval'));
  let trouble: string | undefined;
  while (performance.now() + interval * 1_000 < until) {
    await sleep(interval * 1_000);
    const reply = await withAgent(
      (agent) => agent(requestOf('authorized', { attributes: { login: of('login') } })),
      SERVICE_DEADLINE,
    );
    if (reply.status === 'unavailable') {
      // The code is good as long as it was; who does not answer is asked less often (RFC 8628, 3.5).
      trouble = reply.message;
      interval = Math.min(interval * 2, INTERVAL_MAX);
      continue;
    }
    if (detail(okOrWithheld(reply).details, 'pending') === undefined) return reply;
    trouble = undefined;
    interval = Number(detail(reply.details, 'interval') ?? interval);
  }
  await end(begun, { error: 'expired_token' }).catch(() => undefined);
  if (trouble !== undefined) throw new CommandFailure(exitCodeOf('unavailable'), trouble);
  throw new CommandFailure(
    exitCodeOf('interaction-required'),
    `cannot sign in: nobody entered the code within ${seconds} s; begin again`,
  );
}

async function byClient(place: OAuthPlace, options: LoginOptions): Promise<CredentialReply> {
  const password = await readSecret(options, `the client's secret for ${options.issuer ?? urlOf(place.target)}`);
  try {
    return await begin(place, options, { way: 'client' }, password);
  } finally {
    password.dispose();
  }
}

function begin(
  { manifest, target }: OAuthPlace,
  { username, issuer, clientId, scopes }: LoginOptions,
  more: Readonly<Record<string, string>>,
  secret?: Secret,
): Promise<CredentialReply> {
  const wired = (text: string | undefined) => (text === undefined ? undefined : toWire(text));
  const attributes = {
    service: manifest?.id,
    issuer: wired(issuer),
    client_id: wired(clientId),
    scopes: wired(scopes),
    ...more,
  };
  const whole = { ...target, username: wired(username) };
  const request = requestOf('authorize', { target: whole, secret, attributes });
  return withAgent(async (agent) => okOrWithheld(await agent(request)), SERVICE_DEADLINE);
}

/** Ends a login with what the browser brought. The code is a secret until it is spent. */
async function end(begun: CredentialReply, { code, state, issuer, error }: Brought): Promise<CredentialReply> {
  const secret = code === undefined ? undefined : heapSecret(Buffer.from(code));
  try {
    const wired = (text: string | undefined) => (text === undefined ? undefined : toWire(text));
    const attributes = {
      login: detail(begun.details, 'login'),
      state: wired(state),
      issuer: wired(issuer),
      ...(secret ? { code: secret } : { error: wired(error) }),
    };
    const request = requestOf('authorized', { attributes });
    return await withAgent(async (agent) => okOrWithheld(await agent(request)), SERVICE_DEADLINE);
  } finally {
    secret?.dispose();
  }
}

/** Any other reply than these two is a `CommandFailure` with its exit code and message. */
function okOrWithheld(reply: CredentialReply): CredentialReply {
  if (reply.status === 'ok' || isWithheld(reply)) return reply;
  throw new CommandFailure(exitCodeOf(reply.status), reply.message);
}

/** Seconds that a person has: what the provider gives, or less where that was asked for. */
function patience({ details }: CredentialReply, { timeout }: LoginOptions): number {
  const given = Number(detail(details, 'expires_in'));
  return timeout === undefined ? given : Math.min(timeout, given);
}
