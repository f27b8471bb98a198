import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Target } from '../../../protocol/credential.ts';
import type { Standing } from '../../../protocol/handler.ts';
import { settingFor } from '../../../protocol/profiles.ts';
import type { Secret } from '../../../protocol/secret.ts';
import type { Manifest } from '../../../protocol/services/index.ts';
import { exitCodeOf } from '../../../protocol/status.ts';
import { toWire } from '../../../protocol/text.ts';
import type { Connection } from '../../dial.ts';
import { loadProfiles } from '../../profiles/file.ts';
import { profileInForce } from '../../profiles/in-force.ts';
import { hasDisplay, openPage } from '../../services/open.ts';
import { ask, detail, documents, requestOf, withAgent } from '../agent.ts';
import { confirm } from '../confirm.ts';
import { CommandFailure } from '../failure.ts';
import { remark, show } from '../page.ts';
import { isPiped, readSecret, readSecretLines, readSecretOrStdin } from '../secret-input.ts';
import { urlOf } from '../target.ts';
import { nobodyToAsk } from '../terminal.ts';
import { spoken, type TokenItem, targetOfItem, tokenItems } from '../token/item.ts';
import { SERVICE_DEADLINE, type ServicePlace, sayWhere, servicePlace } from '../token/service-place.ts';
import { checkSecret, standingOf } from '../token/set.ts';
import { verify } from '../token/verify.ts';
import { drawWho } from './current.ts';
import { isWithheld, keepOver } from './keep-over.ts';
import { byOAuth } from './oauth.ts';
import { isOAuthHeld, oauthPlace } from './oauth-place.ts';
import { type LoginOptions, type OAuthWay, oauthWays, type Way } from './options.ts';

/** Under which a login by OAuth is kept where no username is given (daemon/oauth/keep-grant.ts). */
const OAUTH_USERNAME = 'oauth2';

const ways: readonly Way[] = ['paste', 'stdin', 'password', 'browser', 'device', 'client'];
const isOAuth = (way: Way): way is OAuthWay => (oauthWays as readonly Way[]).includes(way);

export function addLogin(command: Command): void {
  command
    .option('--tenant <id>', 'the tenant that is signed in to')
    .option('--with-token', 'take a token that you have, from standard input or a prompt')
    .option('--label <text>', 'what to call the token')
    .option('--no-verify', 'keep a token without asking the service whether it takes it')
    .option('--yes', 'replace another token without asking')
    .addOption(new Option('--way <way>', 'how, where the service has several ways').choices(ways))
    .option('--issuer <url>', 'the provider that lets in, where the service does not say')
    .option('--client-id <id>', 'the id by which the provider knows the program')
    .option('--scopes <list>', 'what the token may do, separated by blanks')
    .option('--redirect <url>', 'where the browser comes back to on this machine, where the provider wants one place')
    .option('--timeout <seconds>', 'how long to wait for the person', seconds)
    .action(login);
}

async function login(said: LoginOptions): Promise<void> {
  const held = await withAgent(tokenItems);
  const place = isOAuthMeant(said, held) ? oauthPlace(said, held) : servicePlace(said, held);
  const options = withTenant(said, place.manifest);
  const way = wayOf(place.manifest, options);
  if (isOAuth(way)) await mayReplaceUnlessLogin(held, place.target, options.username ?? OAUTH_USERNAME, options);
  const item = isOAuth(way)
    ? await byOAuth(way, place, options)
    : await withAgent(
        (agent) =>
          way === 'password'
            ? byPassword(agent, place as ServicePlace, options)
            : byToken(agent, place as ServicePlace, options, way),
        SERVICE_DEADLINE,
      );
  show(options.json, { signedIn: item }, (page) => {
    page.line('Signed in.', 'green');
    drawWho(page, item, place.manifest?.title ?? item.host);
  });
}

/** The tenant that was named, else the profile's for that service. */
function withTenant(options: LoginOptions, manifest: Manifest | undefined): LoginOptions {
  const profile = manifest && profileInForce(loadProfiles())?.profile;
  const tenant = options.tenant ?? (profile && settingFor(profile, 'tenant', manifest.id));
  return tenant === undefined ? options : { ...options, tenant };
}

/** Whether a provider is to be asked, which may stand behind a place that no service is known for. */
function isOAuthMeant(options: LoginOptions, held: readonly TokenItem[]): boolean {
  const { way, withToken, issuer } = options;
  if (withToken) return false;
  if (way !== undefined) return isOAuth(way);
  return issuer !== undefined || (!isPiped(options) && isOAuthHeld(options, held));
}

function wayOf(manifest: Manifest | undefined, options: LoginOptions): Way {
  const { way, withToken } = options;
  if (withToken) return 'stdin';
  const { title = '', login: offered = [], oauth } = manifest ?? {};
  // Where no service is known the provider says what it has.
  if (!manifest) return way ?? byPage();
  const isOffered =
    way === 'client' ? oauth?.grants.includes('client-credentials') : offered.some((one) => one.way === way);
  if (way !== undefined && way !== 'stdin' && !isOffered) {
    const list = offered.map((one) => one.way).join(', ');
    throw new CommandFailure(
      exitCodeOf('unsupported'),
      `cannot sign in that way: ${title} has ${list === '' ? 'none' : list}`,
    );
  }
  if (way !== undefined) return way;
  // What is piped is a secret, and no page needs one.
  const fit = offered.map((one) => one.way).filter((one) => !(isPiped(options) && isOAuth(one)));
  const [first = 'stdin'] = fit;
  return isOAuth(first) && fit.includes('browser') && fit.includes('device') ? byPage() : first;
}

/** A browser where one can be shown; else a code for another machine's. */
function byPage(): OAuthWay {
  return hasDisplay() ? 'browser' : 'device';
}

async function byPassword(agent: Connection, place: ServicePlace, options: LoginOptions): Promise<TokenItem> {
  const { manifest, target } = place;
  const { username, tenant } = options;
  if (username === undefined) throw new CommandFailure(2, 'cannot sign in: give --username NAME');
  // Piped: the password, and the second factor on a line behind it.
  sayWhere(place);
  const agreed = await mayReplaceUnlessLogin(await tokenItems(agent), target, username, options);
  const lines = isPiped(options) ? await readSecretLines(options, 'the password', 2) : undefined;
  const password = lines?.[0] ?? (await readSecret(options, `the password of ${username} for ${urlOf(target)}`));
  let code: Secret | undefined = lines?.[1];
  try {
    const attributes = { service: manifest.id, account: toWire(username), tenant: tenant && toWire(tenant) };
    let reply = await agent(requestOf('login', { target, secret: password, attributes }));
    const handle = detail(reply.details, 'login');
    if (reply.status === 'interaction-required' && handle !== undefined) {
      const factors = (reply.details ?? []).filter(([key]) => key === 'factor[]').map(([, factor]) => factor);
      const digits = factors.includes('recovery-code') ? 'the six digits, or a recovery code' : 'the six digits';
      const what = `${digits} for ${urlOf(target)}`;
      if (!code && lines) throw nobodyToAsk(what, 'give it on a line behind the password');
      code ??= await readSecret(options, what);
      reply = await agent(requestOf('login', { attributes: { login: handle, code } }));
    }
    if (isWithheld(reply)) reply = await keepOver(agent, { action: 'login', details: reply.details, agreed }, options);
    if (reply.status !== 'ok') throw new CommandFailure(exitCodeOf(reply.status), reply.message);
    const item = documents(reply.details, 'item[]')[0] as unknown as TokenItem;
    if (item.account !== undefined && item.account !== username) {
      remark(`keyhold: ${manifest.title} calls this account ${item.account}`);
    }
    return item;
  } finally {
    password.dispose();
    code?.dispose();
  }
}

/**
 * A session takes the place of an earlier one of the same account; of another token under that name only where that is agreed to.
 * Answers the id of the one that it may replace.
 */
async function mayReplaceUnlessLogin(
  held: readonly TokenItem[],
  target: Target,
  username: string,
  options: LoginOptions,
): Promise<string | undefined> {
  const before = standingAt(held, { ...target, username: toWire(username) }, undefined);
  if (!before || before.made === undefined || before.made === 'login') return undefined;
  await confirm(`Replace ${spoken(before)}? It was not made by a login.`, options);
  return before.id;
}

/** A token that was made on the service's page. It is kept only where the service takes it (`verify`). */
async function byToken(agent: Connection, place: ServicePlace, options: LoginOptions, way: Way): Promise<TokenItem> {
  const { manifest, target } = place;
  sayWhere(place);
  const page = manifest.urls?.create ?? manifest.urls?.dashboard;
  if (way === 'paste' && page !== undefined && !isPiped(options) && process.stdin.isTTY) {
    const opened = options.input && hasDisplay() && (await openPage(page));
    remark(`keyhold: make a token ${opened ? 'on the page that opens' : 'here'}: ${page}`);
  }
  const named = manifest.login?.find((one) => one.way === way)?.kind;
  const pasted = await readSecretOrStdin(options, `the token of ${manifest.title} for ${urlOf(target)}`);
  const { secret, expiresAt, kind } = checkSecret(pasted, manifest, named, 'the token', false);
  const { username, label, tenant } = options;
  const whole = { ...target, username: username && toWire(username) };
  try {
    const kindName = kind?.name ?? named;
    const stranger = { manifest, target, kind: kindName, secret };
    const verdict = options.verify === false ? ({ status: 'not-asked' } as const) : await verify(agent, stranger);
    if (verdict.status === 'refused') throw new CommandFailure(verdict.exitCode, `${verdict.message}; it is not kept`);
    if (verdict.status === 'unknown') {
      const why = `${verdict.message}; nothing was changed; --no-verify keeps the token unasked`;
      throw new CommandFailure(exitCodeOf('unavailable'), why);
    }
    const account = username ?? verdict.user;
    const seen = await mayReplace(agent, { whole, label, account, secret }, options);
    const about = {
      service: manifest.id,
      origin: 'signed in with keyhold',
      unverified: options.verify === false ? 'it was kept with --no-verify' : undefined,
      ...given({ kind: kindName, label, tenant, account, tokenId: verdict.tokenId }),
    };
    // When a token ends that does not say so itself, only the service knows.
    const kept = {
      target: whole,
      secret,
      expiresAt: expiresAt ?? verdict.expiresAt,
      about,
      made: 'login',
      onlyOver: seen,
    } as const;
    await ask(agent, 'store', kept);
    return standingAt(await tokenItems(agent), whole, label)!;
  } finally {
    secret.dispose();
  }
}

/** What stands in the place of a login: for exactly that path and username, or under that label. */
function standingAt(held: readonly TokenItem[], target: Target, label: string | undefined): TokenItem | undefined {
  const there = held.filter((item) => {
    const { protocol, host, path } = targetOfItem(item);
    return item.front === undefined && protocol === target.protocol && host === target.host && path === target.path;
  });
  const at = (username: string | undefined) => there.find((item) => targetOfItem(item).username === username);
  if (target.username !== undefined || label === undefined) return at(target.username);
  return there.find((item) => item.label === label) ?? at(toWire(label));
}

type Newcomer = {
  readonly whole: Target;
  readonly label: string | undefined;
  readonly account: string | undefined;
  readonly secret: Secret;
};

/**
 * A login takes the place of an earlier login of the same account, and of nothing else unasked: not of another account's, and not of
 * a token that was created or set by hand. Answers what stands there. Throws a `CommandFailure` where the person says no, or cannot
 * be asked.
 */
async function mayReplace(
  agent: Connection,
  { whole, label, account, secret }: Newcomer,
  options: LoginOptions,
): Promise<Standing | undefined> {
  const held = await tokenItems(agent);
  const before = standingAt(held, whole, label);
  const seen = standingOf(before, held, whole, label);
  if (!before) return seen;
  const isOther = before.account !== undefined && account !== undefined && before.account !== account;
  const isLogin = before.made === undefined || before.made === 'login';
  if (isLogin && !isOther) return seen;
  const same = await agent(requestOf('same', { target: targetOfItem(before), id: before.id, secret }));
  if (same.status === 'ok' && detail(same.details, 'same') === 'true') return seen;
  const whose = before.account === undefined ? '' : ` of ${before.account}`;
  await confirm(`Replace ${spoken(before)}${whose}? (--username NAME keeps both)`, options);
  return seen;
}

function seconds(text: string): number {
  if (!/^[1-9][0-9]{0,3}$/.test(text)) throw new InvalidArgumentError('it is no number of seconds, such as 120.');
  return Number(text);
}

function given<T extends object>(members: T): Partial<T> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Partial<T>;
}
