import { exitCodeOf } from '../../../protocol/status.ts';
import type { Connection } from '../../dial.ts';
import { ask, detail, documents, requestOf, withAgent } from '../agent.ts';
import { CommandFailure } from '../failure.ts';
import { show } from '../page.ts';
import { localTime } from '../status.ts';
import { targetDocument, urlOf } from '../target.ts';
import type { VerbOptions } from '../verb.ts';
import { type TokenItem, tokenItems } from './item.ts';
import { SERVICE_DEADLINE, type ServicePlaceOptions, servicePlace } from './service-place.ts';

export type RemoteOptions = ServicePlaceOptions & {
  readonly remote?: boolean;
  readonly user?: string;
  readonly kind?: string;
  readonly as?: string;
};

type RemoteItem = Partial<TokenItem> & {
  /** Both sides know it, only the service, or only we. */
  readonly state: 'both' | 'server' | 'local';
  readonly name?: string;
  readonly user?: string;
  readonly lastUsedAt?: number;
  readonly active?: boolean;
};

/** `keyhold token list --remote`: both lists as one, and never a value. */
export async function listRemote(options: RemoteOptions & VerbOptions): Promise<void> {
  const { user, kind, json } = options;
  const { place, items, active, limit } = await withAgent(async (agent) => {
    const { manifest, target } = servicePlace(options, await tokenItems(agent));
    const attributes = { service: manifest.id, user, kind };
    const { details } = await ask(agent, 'remote-list', { target, attributes });
    return {
      place: { manifest, target },
      items: documents(details, 'item[]') as unknown as RemoteItem[],
      active: Number(detail(details, 'active')),
      limit: detail(details, 'limit'),
    };
  }, SERVICE_DEADLINE);
  const { manifest, target } = place;
  const document = { service: manifest.id, ...targetDocument(target), active, limit: limit && Number(limit), items };
  show(json, document, (page) => {
    page.line(`${manifest.title}, ${urlOf(target)}: ${active}${limit === undefined ? '' : `/${limit}`} active`);
    if (items.length === 0) return;
    const isCounted = items.some(({ uses }) => uses !== undefined);
    const headings = ['NAME', 'KIND', 'ID', 'CREATED', 'EXPIRES', isCounted ? 'USES' : 'LAST USED', 'WHERE'];
    page.table(
      headings,
      items.map((item) => row(item, isCounted)),
    );
    if (items.some(({ state }) => state === 'server')) page.line('server: nobody here holds it');
    if (items.some(({ state }) => state === 'local')) page.line('local: the service does not list it');
  });
}

const where = { both: 'both', server: 'server', local: 'local' } as const;

/** Services tell when a token was used last, or how often. */
function row(item: RemoteItem, isCounted: boolean): string[] {
  const { kind = '', tokenId = '', createdAt, expiresAt, lastUsedAt, uses = '', state, active } = item;
  const name = item.name ?? item.label ?? item.username ?? '';
  const place = active === false ? `${where[state]}, off` : where[state];
  return [name, kind, tokenId, day(createdAt), day(expiresAt), isCounted ? String(uses) : day(lastUsedAt), place];
}

function day(seconds: number | undefined): string {
  return seconds === undefined ? '' : localTime(seconds).slice(0, 10);
}

/** What a service says of a token, by the operation that told it. */
export type Said = Readonly<Record<string, unknown>>;

/** Asks its service about a held token: whose it is, what it may do, how much it was used, as far as it has calls for that. */
export async function saidOf(agent: Connection, id: string, what = 'whoami show introspect usage'): Promise<Said> {
  const reply = await agent(requestOf('remote-show', { attributes: { id, what } }));
  if (reply.status !== 'ok') {
    // An answer came and tells nothing: trying again would not help, as it would for what is unavailable.
    const isUnread = detail(reply.details, 'unread') !== undefined;
    throw new CommandFailure(isUnread ? 1 : exitCodeOf(reply.status), reply.message);
  }
  const told = documents(reply.details, 'item[]').map(({ operation, answer }) => [operation, answer]);
  return Object.fromEntries(told);
}

/** The same in words. */
export function saidFacts(said: Said): [string, string][] {
  const all: Record<string, unknown> = Object.assign({}, ...Object.values(said));
  return Object.entries(all).flatMap(([name, value]) => {
    const text = Array.isArray(value)
      ? value.join(', ')
      : /At$/.test(name) && typeof value === 'number'
        ? localTime(value)
        : String(value);
    return text === '' ? [] : [[`there: ${wordsOf(name)}`, text] as [string, string]];
  });
}

/** `expiresAt` is `expires at`. */
function wordsOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
