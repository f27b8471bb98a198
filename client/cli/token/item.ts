import { type Table, tableFrom, tableOf, thingsOf } from '../../../protocol/columns.ts';
import type { Target } from '../../../protocol/credential.ts';
import type { Made } from '../../../protocol/made.ts';
import { printable, toWire } from '../../../protocol/text.ts';
import type { Connection } from '../../dial.ts';
import { ask, documents } from '../agent.ts';

/** A token as `list` of the wire describes it: text for people, and never a value. */
export type TokenItem = {
  readonly id: string;
  readonly protocol: string;
  readonly host: string;
  readonly path?: string;
  readonly username?: string;
  readonly authtype?: string;
  readonly service?: string;
  readonly kind?: string;
  readonly label?: string;
  readonly tokenId?: string;
  readonly origin?: string;
  readonly account?: string;
  readonly tenant?: string;
  /** Why the service has not confirmed it. */
  readonly unverified?: string;
  readonly scopes?: readonly string[];
  readonly prefix?: string;
  /** What may be displayed of the value. */
  readonly shown?: string;
  /** How it came to be held. */
  readonly made?: Made;
  /** The helper protocols whose `list` shows it; absent: not decided. */
  readonly fronts?: readonly string[];
  /** Kept for this helper protocol alone, beside another value for the same target. */
  readonly front?: string;
  readonly fingerprint?: string;
  /** Of a login: it is refreshed here, a refresh is under way or was cut off, or somebody has to sign in again. */
  readonly refresh?: 'ours' | 'begun' | 'ended';
  /** What its service said of it: it is kept and not served. */
  readonly ended?: 'revoked' | 'expired';
  readonly endedAt?: number;
  /** Epoch seconds, as all dates here. */
  readonly createdAt?: number;
  readonly storedAt: number;
  readonly expiresAt?: number;
  readonly lastUsed?: number;
  readonly uses?: number;
  readonly unlocked?: boolean;
  readonly memoryOnly?: boolean;
};

/** What remains of one that was revoked. */
export type DeletedItem = TokenItem & {
  readonly revokedAt: number;
  readonly reason?: string;
  readonly actor?: string;
  /** The agent looks whether it stays dead. `id` names it for `revoke`: a rotated token's own id is the living one's. */
  readonly recheck?: {
    readonly id: string;
    readonly nextAt: number;
    readonly lookedAt?: number;
    readonly isAlive?: boolean;
  };
};

/** What a tool's erase took away, and can be brought back. */
export type ErasedItem = TokenItem & {
  readonly erasedAt: number;
  /** The helper that the erase came through. */
  readonly tool?: string;
  /** Seconds for which it can be brought back. */
  readonly left: number;
};

/** Without `service` all that is held; `name`: only what is called so of each. */
type HeldQuestion = { readonly service?: string | undefined; readonly name?: readonly string[] };

/** What is held, by where it is for. */
export async function tokenItems(agent: Connection, question: HeldQuestion = {}): Promise<TokenItem[]> {
  return itemsOf(await tokenTable(agent, question));
}

/** The same by its columns, as it comes: to make an item of each of ten thousand costs more than to show them. */
export async function tokenTable(agent: Connection, { service, name = [] }: HeldQuestion = {}): Promise<Table> {
  const { details = [] } = await ask(agent, 'list', { attributes: { compact: '1', service, name } });
  const columns = details.find(([key]) => key === 'columns')?.[1];
  // An older agent tells them one by one.
  if (columns === undefined) return tableFrom(documents(details, 'item[]'));
  return tableOf({ columns, lines: details.flatMap(([key, value]) => (key === 'rows[]' ? [value] : [])) });
}

/** The items of a table, or of some of its rows, by where they are for. */
export function itemsOf(table: Table, rows?: readonly number[]): TokenItem[] {
  return (thingsOf(table, rows) as unknown as TokenItem[]).sort(byPlace);
}

/** Everything that was revoked and is remembered, the newest first. */
export async function deletedItems(agent: Connection): Promise<DeletedItem[]> {
  const { details } = await ask(agent, 'list', { attributes: { deleted: '1' } });
  const items = documents(details, 'item[]') as unknown as DeletedItem[];
  return items.sort((one, other) => other.revokedAt - one.revokedAt);
}

/** What lies in the restore bin, the newest first. */
export async function erasedItems(agent: Connection): Promise<ErasedItem[]> {
  const { details } = await ask(agent, 'list', { attributes: { erased: '1' } });
  // An agent that has no restore bin answers what is held.
  const items = documents(details, 'item[]').filter((item) => typeof item['erasedAt'] === 'number');
  return items as unknown as ErasedItem[];
}

/** What was revoked and is no earlier value of one that is held: a rotated token keeps its id. Each id once. */
export function formerItems(held: readonly TokenItem[], deleted: readonly DeletedItem[]): DeletedItem[] {
  const seen = new Set(held.map(({ id }) => id));
  return deleted.filter(({ id }) => !seen.has(id) && seen.add(id));
}

/** By where they are for. It compares what is there: a text of its own for each of ten thousand would cost more. */
function byPlace(one: TokenItem, other: TokenItem): number {
  if (one.host !== other.host) return one.host < other.host ? -1 : 1;
  if (one.protocol !== other.protocol) return one.protocol < other.protocol ? -1 : 1;
  const [path = '', otherPath = ''] = [one.path, other.path];
  return path === otherPath ? 0 : path < otherPath ? -1 : 1;
}

export function urlOfItem({ protocol, host, path }: TokenItem): string {
  return `${protocol}://${host}${path === undefined ? '' : `/${path}`}`;
}

/** What a person calls it: its label, else whose it is. */
export function nameOf({ label, username }: TokenItem): string | undefined {
  return label ?? username;
}

/** A token in a sentence, safe on a terminal: `the token laptop for https://git.example`. */
export function spoken(item: TokenItem): string {
  const name = nameOf(item);
  return printable(`the token ${name === undefined ? '' : `${name} `}for ${urlOfItem(item)}`);
}

/** The same as a target of the wire. */
export function targetOfItem({ protocol, host, path, username }: TokenItem): Target {
  const wired = (text: string | undefined) => (text === undefined ? undefined : toWire(text));
  return { protocol: toWire(protocol), host: toWire(host), path: wired(path), username: wired(username) };
}

/** As the agent finds what a request may mean: what the request does not name, it does not ask for. */
export function matches(item: TokenItem, target: Target): boolean {
  return (['protocol', 'host', 'path', 'username'] as const).every(
    (key) => target[key] === undefined || toWire(item[key] ?? '') === target[key],
  );
}
