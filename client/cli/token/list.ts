import type { Command } from 'commander';
import { rowsTo, type Table } from '../../../protocol/columns.ts';
import type { Manifest } from '../../../protocol/services/index.ts';
import { exitCodeOf } from '../../../protocol/status.ts';
import type { Connection } from '../../dial.ts';
import { readCatalogue } from '../../services/catalogue.ts';
import { withAgent } from '../agent.ts';
import { CommandFailure } from '../failure.ts';
import { type Page, show } from '../page.ts';
import { addReminders, type ReminderOptions, remind } from '../reminders.ts';
import { localTime } from '../status.ts';
import { addVerb, type VerbOptions } from '../verb.ts';
import {
  type DeletedItem,
  deletedItems,
  type ErasedItem,
  erasedItems,
  itemsOf,
  nameOf,
  type TokenItem,
  tokenTable,
  urlOfItem,
} from './item.ts';
import { quotaOf } from './quota.ts';
import type { RemoteOptions } from './remote.ts';

/** Digits of a fingerprint in a table: two tokens that share them are looked at by `show`. */
const FINGERPRINT_SHOWN = 6;

const NOTHING = 'Nothing is held. To keep a token: keyhold token set --for URL';

/** What every table shows, or goes by. */
const SHOWN = [
  ...['protocol', 'host', 'path', 'username', 'label', 'account', 'service'],
  ...['storedAt', 'expiresAt', 'lastUsed', 'uses'],
];
/** What those of services show besides. */
const OF_SERVICES = ['kind', 'prefix', 'fingerprint', 'createdAt', 'ended'];

type ListOptions = ReminderOptions &
  VerbOptions & { readonly deleted?: boolean; readonly erased?: boolean; readonly user?: string };
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
    .option('--erased', 'what tools erased, and for how long it can be brought back (token restore)')
    .option('--user <name>', 'only those of this account or username; with --remote whose')
    .option('--remote', "the service's own list, beside what is held")
    .option('--service <id>', 'of --remote: the service')
    .option('--for <url>', 'of --remote: its server, protocol://host[:port]')
    .option('--kind <kind>', 'of --remote: tokens of this kind')
    .action(list);
}

async function list(asked: ListOptions & RemoteOptions): Promise<void> {
  if (asked.remote) return (await import('./remote.ts')).listRemote(asked);
  const { json, deleted, erased, user, ...options } = asked;
  if (deleted && erased)
    throw new CommandFailure(exitCodeOf('bad-request'), 'cannot list: give one of --deleted and --erased');
  if (deleted) return listDeleted(json, user);
  if (erased) return listErased(json, user);
  const now = Date.now() / 1_000;
  const table = await withAgent((agent) => (json ? tokenTable(agent) : shownTable(agent)));
  const isNarrowed = options.due || options.unused;
  if (!json && !isNarrowed) {
    show(false, undefined, (page) => drawAll(page, table, user, now));
    return;
  }
  const held = itemsOf(table).filter((item) => isOf(item, user));
  const items = remind(held, options, now) as Reminded[];
  show(json, { items, services: summaries(held, now) }, (page) => {
    if (held.length === 0) page.line(NOTHING);
    else if (items.length === 0) page.line('Nothing to be reminded of.');
    else page.table(['FOR', 'NAME', 'WHY'], items.map(reminderRow), true);
  });
}

/** What the tables show; more is asked for only where something belongs to a service, as most of many do not. */
async function shownTable(agent: Connection): Promise<Table> {
  const table = await tokenTable(agent, { name: SHOWN });
  return table.columns.has('service') ? await tokenTable(agent, { name: [...SHOWN, ...OF_SERVICES] }) : table;
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
function drawAll(page: Page, table: Table, user: string | undefined, now: number): void {
  const rows = rowsOf(table, user);
  if (rows.length === 0) {
    page.line(NOTHING);
    return;
  }
  const [service, fingerprint] = [table.columns.get('service'), table.columns.get('fingerprint')];
  const isOwn = (row: number) => service !== undefined && service[row] !== null;
  const own = service ? rows.filter(isOwn) : [];
  // Only tables of services show values.
  const twice = twiceAmong(own.length > 0 && fingerprint ? rows.map((row) => fingerprint[row]) : []);
  drawServices(page, itemsOf(table, own), twice, now);
  if (own.length < rows.length) drawOthers(page, table, service ? rows.filter((row) => !isOwn(row)) : rows);
  if (twice.size > 0) page.line('Those marked = hold one and the same value.', 'yellow');
}

/** The rows of one user, or all. */
function rowsOf({ count, columns }: Table, user: string | undefined): number[] {
  if (user === undefined) return rowsTo(count);
  const [account, username] = [columns.get('account'), columns.get('username')];
  return rowsTo(count).filter((row) => account?.[row] === user || username?.[row] === user);
}

/** What stands more than once among `values`. */
function twiceAmong(values: readonly unknown[]): ReadonlySet<unknown> {
  const [seen, twice] = [new Set<unknown>(), new Set<unknown>()];
  for (const value of values) {
    if (value !== null && seen.has(value)) twice.add(value);
    seen.add(value);
  }
  return twice;
}

function drawServices(page: Page, items: readonly TokenItem[], twice: ReadonlySet<unknown>, now: number): void {
  const byService = Map.groupBy(items, ({ service }) => service ?? '');
  for (const { id, title, active, limit } of summaries(items, now)) {
    const own = byService.get(id)!;
    const urls = [...new Set(own.map(urlOfItem))];
    const where = urls.length === 1 ? ` at ${urls[0]}` : '';
    page.line(`${title}${where}, ${limit === undefined ? active : `${active}/${limit}`} active`, 'bold');
    page.table(
      [urls.length === 1 ? 'LABEL' : 'TOKEN', 'KIND', 'VALUE', 'CREATED', 'EXPIRES', 'LAST USED', 'USES'],
      own.map((item) => serviceRow(item, urls.length === 1, twice)),
    );
    page.line();
  }
}

function serviceRow(item: TokenItem, isOneHost: boolean, twice: ReadonlySet<unknown>): string[] {
  const { kind = '', prefix = '', fingerprint = '', createdAt, storedAt, expiresAt, ended, lastUsed, uses } = item;
  const name = nameOf(item);
  const where = isOneHost ? (name ?? '') : `${name === undefined ? '' : `${name} at `}${item.host}`;
  const same = twice.has(fingerprint) ? '=' : '';
  const value = fingerprint === '' ? prefix : `${prefix}…${fingerprint.slice(0, FINGERPRINT_SHOWN)}${same}`;
  return [where, kind, value, day(createdAt ?? storedAt), ended ?? day(expiresAt), day(lastUsed), count(uses)];
}

/** These may be many: they are put in order and shown by their columns, and none becomes an item. Sorts `rows`. */
function drawOthers(page: Page, { columns }: Table, rows: number[]): void {
  const texts = (name: string) => columns.get(name) as readonly (string | null)[] | undefined;
  const [protocol, host, path] = [texts('protocol')!, texts('host')!, texts('path')];
  const [label, username] = [texts('label'), texts('username')];
  rows.sort((one, other) => compared(host, one, other) || compared(protocol, one, other) || compared(path, one, other));
  const cells = (column: readonly unknown[] | undefined, shown: (row: number) => string) =>
    column ? rows.map(shown) : rows.map(() => '');
  const numbers = (name: string, shown: (value: number | undefined) => string) => {
    const column = columns.get(name) as readonly (number | null)[] | undefined;
    return cells(column, (row) => shown(column![row] ?? undefined));
  };
  page.columns(
    ['FOR', 'USERNAME', 'SINCE', 'EXPIRES', 'LAST USED', 'USES'],
    [
      path
        ? rows.map((row) => `${protocol[row]}://${host[row]}${path[row] === null ? '' : `/${path[row]}`}`)
        : rows.map((row) => `${protocol[row]}://${host[row]}`),
      cells(label ?? username, (row) => label?.[row] ?? username?.[row] ?? ''),
      numbers('storedAt', day),
      numbers('expiresAt', day),
      numbers('lastUsed', day),
      numbers('uses', count),
    ],
  );
}

function compared(column: readonly (string | null)[] | undefined, one: number, other: number): number {
  if (column === undefined) return 0;
  // Names and no list of two: it is asked ten thousand times.
  const first = column[one] ?? '';
  const second = column[other] ?? '';
  return first === second ? 0 : first < second ? -1 : 1;
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

async function listErased(json: boolean | undefined, user: string | undefined): Promise<void> {
  const items = (await withAgent(erasedItems)).filter((item) => isOf(item, user));
  show(json, { items }, (page) => {
    if (items.length === 0) page.line('Nothing that was erased can be brought back.');
    else {
      page.table(['FOR', 'NAME', 'ID', 'ERASED', 'BY', 'KEPT FOR'], items.map(erasedRow), true);
      page.line('To bring one back: keyhold token restore ID');
    }
  });
}

function erasedRow(item: ErasedItem): string[] {
  const { id, erasedAt, tool = '', left } = item;
  return [urlOfItem(item), nameOf(item) ?? '', id.slice(0, 8), day(erasedAt), tool, spanOf(left)];
}

/** A length of time by its largest unit, rounded down but for the last minute. */
function spanOf(seconds: number): string {
  const [unit, length] = (
    [
      ['d', 86_400],
      ['h', 3_600],
      ['min', 60],
    ] as const
  ).find(([, size]) => seconds >= size) ?? ['min', 60];
  return `${Math.max(Math.floor(seconds / length), 1)} ${unit}`;
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
