import type { Command } from 'commander';
import type { Manifest } from '../../../protocol/services/index.ts';
import type { Connection } from '../../dial.ts';
import { readCatalogue } from '../../services/catalogue.ts';
import { withAgent } from '../agent.ts';
import { type Page, show } from '../page.ts';
import { addReminders, type ReminderOptions, remind } from '../reminders.ts';
import { localTime } from '../status.ts';
import { addVerb, type VerbOptions } from '../verb.ts';
import { type DeletedItem, deletedItems, nameOf, type TokenItem, tokenItems, urlOfItem } from './item.ts';
import { quotaOf } from './quota.ts';
import type { RemoteOptions } from './remote.ts';

/** Digits of a fingerprint in a table: two tokens that share them are looked at by `show`. */
const FINGERPRINT_SHOWN = 6;

/** What a table shows, or goes by. */
const SHOWN = [
  ...['protocol', 'host', 'path', 'username', 'label', 'account', 'service', 'kind', 'prefix', 'fingerprint'],
  ...['createdAt', 'storedAt', 'expiresAt', 'lastUsed', 'uses'],
];

type ListOptions = ReminderOptions & VerbOptions & { readonly deleted?: boolean; readonly user?: string };
type Reminded = TokenItem & { readonly reasons?: readonly string[] };
type ServiceSummary = {
  readonly id: string;
  readonly title: string;
  readonly active: number;
  readonly limit: number | undefined;
};

/** `keyhold token list`: what is held, by service; never a value. */
export function addList(token: Command): void {
  addReminders(addVerb(token, 'list', 'what is held, never a value'))
    .option('--deleted', 'what was revoked, when and why')
    .option('--user <name>', 'only those of this account or username; with --remote whose')
    .option('--remote', "the service's own list, beside what is held")
    .option('--service <id>', 'of --remote: the service')
    .option('--for <url>', 'of --remote: its server, protocol://host[:port]')
    .option('--kind <kind>', 'of --remote: tokens of this kind')
    .action(list);
}

async function list(asked: ListOptions & RemoteOptions): Promise<void> {
  if (asked.remote) return (await import('./remote.ts')).listRemote(asked);
  const { json, deleted, user, ...options } = asked;
  if (deleted) return listDeleted(json, user);
  const now = Date.now() / 1_000;
  const all = await withAgent((agent) => tokenItems(agent, { name: json ? [] : SHOWN }));
  const held = user === undefined ? all : all.filter((item) => isOf(item, user));
  const items = remind(held, options, now) as Reminded[];
  const services = summaries(held, now);
  show(json, { items, services }, (page) => {
    if (held.length === 0) page.line('Nothing is held. To keep a token: keyhold token set --for URL');
    else if (items.length === 0) page.line('Nothing to be reminded of.');
    else if (options.due || options.unused) page.table(['FOR', 'NAME', 'WHY'], items.map(reminderRow), true);
    else drawAll(page, items, services);
  });
}

/** What is held, for other verbs: those of one user, or all. */
export async function tokensOf(agent: Connection, user: string | undefined): Promise<TokenItem[]> {
  return (await tokenItems(agent)).filter((item) => isOf(item, user));
}

function isOf({ account, username }: TokenItem, user: string | undefined): boolean {
  return user === undefined || account === user || username === user;
}

/** Each service that something is held for, with its limit. */
function summaries(held: readonly TokenItem[], now: number): ServiceSummary[] {
  const ids = new Set<string>();
  for (const { service } of held) if (service !== undefined) ids.add(service);
  if (ids.size === 0) return [];
  const manifests = new Map(catalogue().map((manifest) => [manifest.id, manifest]));
  return [...ids].sort().map((id) => {
    const manifest = manifests.get(id);
    if (!manifest)
      return { id, title: id, active: held.filter(({ service }) => service === id).length, limit: undefined };
    return { id, title: manifest.title, ...quotaOf(manifest, held, now) };
  });
}

function catalogue(): readonly Manifest[] {
  try {
    return readCatalogue().manifests;
  } catch {
    return [];
  }
}

/** A table for each service, and one for what belongs to none. */
function drawAll(page: Page, items: readonly Reminded[], services: readonly ServiceSummary[]): void {
  const byService = Map.groupBy(items, ({ service }) => service ?? '');
  const twice = fingerprintsTwice(items);
  for (const { id, title, active, limit } of services) {
    const own = byService.get(id) ?? [];
    if (own.length === 0) continue;
    const urls = [...new Set(own.map(urlOfItem))];
    const where = urls.length === 1 ? ` at ${urls[0]}` : '';
    page.line(`${title}${where}, ${limit === undefined ? active : `${active}/${limit}`} active`, 'bold');
    page.table(
      [urls.length === 1 ? 'LABEL' : 'TOKEN', 'KIND', 'VALUE', 'CREATED', 'EXPIRES', 'LAST USED', 'USES'],
      own.map((item) => serviceRow(item, urls.length === 1, twice)),
    );
    page.line();
  }
  const others = byService.get('') ?? [];
  if (others.length > 0) {
    page.table(['FOR', 'USERNAME', 'SINCE', 'EXPIRES', 'LAST USED', 'USES'], others.map(otherRow));
  }
  if (twice.size > 0) page.line('Those marked = hold one and the same value.', 'yellow');
}

function fingerprintsTwice(items: readonly TokenItem[]): ReadonlySet<string> {
  const [seen, twice] = [new Set<string>(), new Set<string>()];
  for (let at = 0; at < items.length; at++) {
    const { fingerprint } = items[at]!;
    if (fingerprint === undefined) continue;
    if (seen.has(fingerprint)) twice.add(fingerprint);
    seen.add(fingerprint);
  }
  return twice;
}

function serviceRow(item: TokenItem, isOneHost: boolean, twice: ReadonlySet<string>): string[] {
  const { kind = '', prefix = '', fingerprint = '', createdAt, storedAt, expiresAt, lastUsed, uses } = item;
  const name = nameOf(item);
  const where = isOneHost ? (name ?? '') : `${name === undefined ? '' : `${name} at `}${item.host}`;
  const same = twice.has(fingerprint) ? '=' : '';
  const value = fingerprint === '' ? prefix : `${prefix}…${fingerprint.slice(0, FINGERPRINT_SHOWN)}${same}`;
  return [where, kind, value, day(createdAt ?? storedAt), day(expiresAt), day(lastUsed), count(uses)];
}

function otherRow(item: TokenItem): string[] {
  const { storedAt, expiresAt, lastUsed, uses } = item;
  return [urlOfItem(item), nameOf(item) ?? '', day(storedAt), day(expiresAt), day(lastUsed), count(uses)];
}

function reminderRow(item: Reminded): string[] {
  return [urlOfItem(item), nameOf(item) ?? '', (item.reasons ?? []).join('; ')];
}

async function listDeleted(json: boolean | undefined, user: string | undefined): Promise<void> {
  const items = (await withAgent(deletedItems)).filter((item) => isOf(item, user));
  show(json, { items }, (page) => {
    if (items.length === 0) page.line('No token is remembered as revoked.');
    else page.table(['FOR', 'NAME', 'REVOKED', 'WHY'], items.map(deletedRow), true);
  });
}

function deletedRow(item: DeletedItem): string[] {
  const by = item.actor === undefined ? '' : ` (by ${item.actor})`;
  return [
    urlOfItem(item),
    nameOf(item) ?? item.id.slice(0, 8),
    day(item.revokedAt),
    `${item.reason ?? ''}${by}`.trim(),
  ];
}

/** Seconds in which the day never changes: all time zones differ from UTC by a multiple of it. */
const QUARTER = 900;
const days = new Map<number, string>();

/** A date; those of many tokens are the same. */
function day(value: number | undefined): string {
  if (value === undefined) return '';
  const quarter = Math.floor(value / QUARTER);
  let text = days.get(quarter);
  if (text === undefined) {
    text = localTime(value).slice(0, 10);
    days.set(quarter, text);
  }
  return text;
}

function count(uses: number | undefined): string {
  return uses === undefined || uses === 0 ? '' : String(uses);
}
