import type { Command } from 'commander';
import { secondsOf } from '../../../protocol/services/index.ts';
import { exitCodeOf } from '../../../protocol/status.ts';
import { toWire } from '../../../protocol/text.ts';
import type { Connection } from '../../dial.ts';
import { hasDisplay, openPage } from '../../services/open.ts';
import { ask, detail, documents, withAgent } from '../agent.ts';
import { CommandFailure } from '../failure.ts';
import { jsonText, remark, show } from '../page.ts';
import { addSecretOptions, readSecretOrStdin, type SecretOptions } from '../secret-input.ts';
import { localTime } from '../status.ts';
import { urlOf } from '../target.ts';
import { addVerb, type VerbOptions } from '../verb.ts';
import { nameOf, type TokenItem, targetOfItem, tokenItems } from './item.ts';
import { writeSecret } from './print.ts';
import { resolveToken } from './resolve.ts';
import {
  addServicePlace,
  SERVICE_DEADLINE,
  type ServicePlace,
  type ServicePlaceOptions,
  sayWhere,
  servicePlace,
} from './service-place.ts';
import { checkSecret } from './set.ts';

type CreateOptions = ServicePlaceOptions &
  SecretOptions &
  VerbOptions & {
    readonly kind?: string;
    readonly expiresIn?: string;
    readonly scopes?: string;
    readonly limit?: string;
    readonly account?: string;
    readonly tenant?: string;
    readonly as?: string;
    readonly reveal?: boolean;
  };

/** `keyhold token create`: by the service's call, or on its page with a paste. The value goes straight into the store. */
export function addCreate(token: Command): void {
  const command = addServicePlace(addVerb(token, 'create', 'have a service make a token, and keep it'))
    .argument('<name>', 'what it is for, such as staging-web-app')
    .option('--kind <kind>', 'which kind of token')
    .option('--expires-in <time>', 'how long it lives: 90d, 24h, never')
    .option('--scopes <list>', 'what it may do, separated by commas')
    .option('--limit <what>', 'what it is narrowed down to, such as a pattern of packages')
    .option('--account <name>', 'whom it stands for')
    .option('--tenant <id>', 'the tenant that it is for')
    .option('--as <token>', 'the held token that makes the call')
    .option('--reveal', 'show the value, this once');
  addSecretOptions(command, 'the token, where it is made on a page,').action(create);
}

async function create(name: string, options: CreateOptions): Promise<void> {
  const { reveal, json } = options;
  await withAgent(async (agent) => {
    const held = await tokenItems(agent);
    const place = servicePlace(options, held);
    sayWhere(place);
    const attributes = wishOf(name, place, held, options);
    const { details } = await ask(agent, 'create', { target: place.target, attributes: { ...attributes, check: '1' } });
    for (const [key, warning] of details ?? []) if (key === 'warning[]') remark(`keyhold: ${warning}`);
    const made =
      detail(details, 'way') === 'call'
        ? await byCall(agent, place, attributes)
        : await byPage(agent, name, place, options, {
            why: detail(details, 'why'),
            page: detail(details, 'page'),
            kind: detail(details, 'kind'),
          });
    if (reveal) await revealed(agent, made, json);
    else showMade(made, place, json);
  }, SERVICE_DEADLINE);
}

function wishOf(name: string, { manifest }: ServicePlace, held: readonly TokenItem[], options: CreateOptions) {
  const { kind, expiresIn, scopes, limit, account, tenant, as } = options;
  const words = scopes?.split(/[\s,]+/).filter((word) => word !== '');
  const actor = as === undefined ? undefined : resolveToken(as, held);
  const wish = { label: name, kind, expires_in: expiresIn, scopes: words?.join(' '), limit, account, tenant };
  const wired = Object.entries(wish).map(([key, value]) => [key, value && toWire(value)] as const);
  return { service: manifest.id, as: actor?.id, ...Object.fromEntries(wired) };
}

async function byCall(
  agent: Connection,
  { target }: ServicePlace,
  attributes: Readonly<Record<string, string | undefined>>,
): Promise<Partial<TokenItem>> {
  const { details } = await ask(agent, 'create', { target, attributes });
  return (documents(details, 'item[]')[0] ?? {}) as Partial<TokenItem>;
}

type Page = { readonly why: string | undefined; readonly page: string | undefined; readonly kind: string | undefined };

/** The person makes it on the service's page and pastes it here; name and number were checked before. */
async function byPage(
  agent: Connection,
  name: string,
  { manifest, target }: ServicePlace,
  options: CreateOptions,
  { why, page, kind }: Page,
): Promise<Partial<TokenItem>> {
  if (why !== undefined) remark(`keyhold: ${why}`);
  if (page !== undefined) {
    const opened = options.input && hasDisplay() && (await openPage(page));
    remark(`keyhold: make a token named ${name} ${opened ? 'on the page that opens' : 'here'}: ${page}`);
  }
  const pasted = await readSecretOrStdin(options, `the new token of ${manifest.title} for ${urlOf(target)}`);
  const fit = checkSecret(pasted, manifest, kind, 'the token', false);
  try {
    const life = options.expiresIn === undefined ? undefined : secondsOf(options.expiresIn);
    const end = life === undefined || !Number.isFinite(life) ? undefined : Math.floor(Date.now() / 1_000) + life;
    const about = { service: manifest.id, kind: fit.kind?.name ?? kind, label: name, origin: 'made on its page' };
    await ask(agent, 'store', { target, secret: fit.secret, expiresAt: fit.expiresAt ?? end, about, made: 'created' });
  } finally {
    fit.secret.dispose();
  }
  const found = (await tokenItems(agent)).filter((item) => item.service === manifest.id && item.label === name);
  return found.sort((one, other) => other.storedAt - one.storedAt)[0] ?? {};
}

function showMade(made: Partial<TokenItem>, { manifest, target }: ServicePlace, json: boolean | undefined): void {
  show(json, { created: made }, (page) => {
    page.line(`Keeping ${nameOf(made as TokenItem)}, a new token of ${manifest.title} for ${urlOf(target)}.`, 'green');
    const { expiresAt } = made;
    page.line(expiresAt === undefined ? 'No expiry is known.' : `It expires on ${localTime(expiresAt).slice(0, 10)}.`);
  });
}

/** The value and nothing else on standard output, or one JSON document with it. */
async function revealed(agent: Connection, made: Partial<TokenItem>, json: boolean | undefined): Promise<void> {
  const { credential } = await ask(agent, 'get', { target: targetOfItem(made as TokenItem) });
  const secret = credential?.secret;
  if (!secret) throw new CommandFailure(exitCodeOf('not-found'), 'cannot show the value: it is kept, and has none');
  try {
    if (!json) await writeSecret(secret, '', '\n');
    else await writeSecret(secret, jsonText(made).replace(/\n}$/, ',\n  "secret": "'), '"\n}\n', true);
  } finally {
    secret.dispose();
    credential.refreshToken?.dispose();
  }
}
