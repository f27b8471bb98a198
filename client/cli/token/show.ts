import type { Command } from 'commander';
import { ask, documents, withAgent } from '../agent.ts';
import { show as showPage } from '../page.ts';
import { localTime } from '../status.ts';
import { addTarget, addVerb, type VerbOptions } from '../verb.ts';
import { type DeletedItem, deletedItems, formerItems, type TokenItem, tokenItems, urlOfItem } from './item.ts';
import { saidFacts, saidOf } from './remote.ts';
import { type Choice, heldOrDeleted } from './resolve.ts';
import { SERVICE_DEADLINE } from './service-place.ts';

/** Days of use that are shown. */
const DAYS_SHOWN = 7;

type Usage = {
  readonly first?: number;
  readonly last?: number;
  readonly count?: number;
  readonly tools?: Counts;
  readonly programs?: Counts;
  readonly projects?: Counts;
  readonly days?: Counts;
};
type Counts = Readonly<Record<string, number>>;

/** `keyhold token show`: everything that is known of one token, also of a revoked one; never its value. */
export function addShow(token: Command): void {
  addTarget(addVerb(token, 'show [token]', 'everything known of one, and who used it; never its value'))
    .option('--remote', 'also what its service says of it')
    .action(show);
}

async function show(
  word: string | undefined,
  { json, remote, ...choice }: Choice & VerbOptions & { readonly remote?: boolean },
): Promise<void> {
  const { item, usage, twins, said } = await withAgent(async (agent) => {
    const held = await tokenItems(agent);
    const found = heldOrDeleted({ ...choice, word }, held, formerItems(held, await deletedItems(agent)));
    const [used = {}] = documents((await ask(agent, 'usage', { attributes: { id: found.id } })).details, 'item[]');
    const same = held.filter(({ id, fingerprint }) => id !== found.id && isSame(fingerprint, found.fingerprint));
    const said = remote ? await saidOf(agent, found.id) : undefined;
    return { item: found, usage: used as Usage, twins: same, said };
  }, SERVICE_DEADLINE);
  showPage(json, { ...item, usage, sameValue: twins.map(({ id }) => id), remote: said }, (page) => {
    page.facts([...factsOf(item, usage, twins), ...(said ? saidFacts(said) : [])]);
  });
}

function isSame(one: string | undefined, other: string | undefined): boolean {
  return one !== undefined && one === other;
}

function factsOf(item: TokenItem | DeletedItem, usage: Usage, twins: readonly TokenItem[]): [string, string][] {
  const { first, last, count, tools, programs, projects, days } = usage;
  const facts: [string, string | undefined][] = [
    ['for', urlOfItem(item)],
    ['label', item.label],
    ['username', item.username],
    ['service', item.service],
    ['kind', item.kind],
    ['id', item.id],
    ["service's id", item.tokenId],
    ['account', item.account],
    ['tenant', item.tenant],
    ['not verified', item.unverified],
    ['scopes', item.scopes?.join(', ')],
    ['begins with', item.prefix],
    ['fingerprint', item.fingerprint],
    ['same value', twins.map((twin) => twin.label ?? twin.username ?? twin.id).join(', ')],
    ['sent as', item.authtype],
    ['origin', item.origin],
    ['created', time(item.createdAt)],
    ['kept since', time(item.storedAt)],
    ['expires', 'revokedAt' in item ? undefined : (time(item.expiresAt) ?? 'never, as far as is known')],
    ['ended', item.ended && `${item.ended}, as its service said on ${time(item.endedAt)}; it is not served`],
    ['rests', item.memoryOnly ? 'nowhere: held in memory only' : undefined],
    ...('revokedAt' in item ? endOf(item) : []),
    ['used', count === undefined ? 'never, as far as is recorded' : `${count} times`],
    ['first used', time(first)],
    ['last used', time(last ?? item.lastUsed)],
    ['by tool', counts(tools)],
    ['by program', counts(programs)],
    ['by project', counts(projects)],
    ['by day', counts(days && Object.fromEntries(Object.entries(days).slice(-DAYS_SHOWN)))],
  ];
  return facts.filter((fact): fact is [string, string] => fact[1] !== undefined && fact[1] !== '');
}

function endOf({ revokedAt, reason, actor }: DeletedItem): [string, string | undefined][] {
  return [
    ['revoked', time(revokedAt)],
    ['why', reason],
    ['by', actor],
  ];
}

function time(value: number | undefined): string | undefined {
  return value === undefined ? undefined : localTime(value);
}

function counts(of: Counts | undefined): string | undefined {
  return (
    of &&
    Object.entries(of)
      .map(([name, count]) => `${name === '' ? '(unknown)' : name} ${count}`)
      .join(', ')
  );
}
