import type { Command } from 'commander';
import { type HeldItem, heldItems, SERVICE_DEADLINE } from '../remote/held.ts';
import { type PlaceOptions, placeIn } from '../remote/place.ts';
import { ask, detail, documents, withAgent } from './agent.ts';
import { show } from './page.ts';
import { localTime } from './status.ts';
import { targetDocument, urlOf } from './target.ts';
import type { VerbOptions } from './verb.ts';

export type RemoteOptions = PlaceOptions & {
  readonly remote?: boolean;
  readonly user?: string;
  readonly kind?: string;
  readonly as?: string;
};

type RemoteItem = Partial<HeldItem> & {
  /** Both sides know it, only the service, or only we. */
  readonly state: 'both' | 'server' | 'local';
  readonly name?: string;
  readonly user?: string;
  readonly lastUsedAt?: number;
  readonly active?: boolean;
};

/** What narrows a list down to one service. */
export function addRemote(command: Command): Command {
  return command
    .option('--remote', "the service's own list, beside what is held")
    .option('--service <id>', 'the service, as keyhold service list shows it')
    .option('--for <url>', 'its server: protocol://host[:port]')
    .option('--user <id>', "another user's tokens (for administrators; asks the service)")
    .option('--kind <kind>', 'tokens of this kind');
}

/** `keyhold token list --remote`: both lists as one, and never a value. */
export async function listRemote(options: RemoteOptions & VerbOptions): Promise<void> {
  const { user, kind, json } = options;
  const { place, items, active, limit } = await withAgent(async (agent) => {
    const { manifest, target } = placeIn(options, await heldItems(agent));
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
    page.table(['NAME', 'KIND', 'ID', 'CREATED', 'EXPIRES', 'LAST USED', 'WHERE'], items.map(row));
    if (items.some(({ state }) => state === 'server')) page.line('server: nobody here holds it');
    if (items.some(({ state }) => state === 'local')) page.line('local: the service does not list it');
  });
}

const where = { both: 'both', server: 'server', local: 'local' } as const;

function row(item: RemoteItem): string[] {
  const { kind = '', tokenId = '', createdAt, expiresAt, lastUsedAt, state, active } = item;
  const name = item.name ?? item.label ?? item.username ?? '';
  const place = active === false ? `${where[state]}, off` : where[state];
  return [name, kind, tokenId, day(createdAt), day(expiresAt), day(lastUsedAt), place];
}

function day(seconds: number | undefined): string {
  return seconds === undefined ? '' : localTime(seconds).slice(0, 10);
}
