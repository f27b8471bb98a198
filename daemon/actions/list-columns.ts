import { linesOf, namesLine } from '../../protocol/columns.ts';
import type { Detail } from '../../protocol/handler.ts';
import { fromWire } from '../../protocol/text.ts';
import { refreshOf } from '../credentials/held-item.ts';
import type { Entry } from '../credentials/unlocked/set.ts';
import type { Audit } from '../history/audit/audit.ts';
import type { Use } from '../history/audit/usage.ts';
import { inSlices } from '../slices.ts';

/** Names, and how the value of one is had; undefined for what is absent. */
type Values<Of> = readonly (readonly [name: string, value: (of: Of) => unknown])[];

/** What `heldItem` has of what is held. */
const heldValues: Values<Entry> = [
  ['id', ({ id }) => id],
  ['protocol', ({ protocol }) => protocol],
  ['host', ({ host }) => host],
  ['path', ({ path }) => legible(path)],
  ['username', ({ username }) => legible(username)],
  ['authtype', ({ authtype }) => authtype],
  ['service', ({ about }) => about?.service],
  ['kind', ({ about }) => about?.kind],
  ['label', ({ about }) => about?.label],
  ['tokenId', ({ about }) => about?.tokenId],
  ['origin', ({ about }) => about?.origin],
  ['account', ({ about }) => about?.account],
  ['tenant', ({ about }) => about?.tenant],
  ['unverified', ({ about }) => about?.unverified],
  ['scopes', ({ about }) => about?.scopes],
  ['createdAt', ({ about }) => about?.createdAt],
  ['prefix', ({ about }) => about?.prefix],
  ['shown', ({ shown }) => shown],
  ['made', ({ made }) => made],
  ['fronts', ({ front, fronts }) => (front === undefined ? fronts : [front])],
  ['front', ({ front }) => front],
  ['fingerprint', ({ about }) => about?.fingerprint],
  ['refresh', ({ about }) => refreshOf(about?.oauth)],
  ['ended', ({ about }) => about?.ended?.status],
  ['endedAt', ({ about }) => about?.ended?.at],
  ['storedAt', ({ storedAt }) => storedAt],
  ['expiresAt', ({ expiresAt }) => expiresAt],
  ['unlocked', ({ inMemory }) => inMemory !== undefined],
  ['memoryOnly', ({ resting }) => resting === undefined],
];

/** What it has of its use. */
const useValues: Values<Use | undefined> = [
  ['lastUsed', (use) => use?.last],
  ['uses', (use) => use?.count ?? 0],
];

/** The columns of those names, or all. */
export async function heldColumns(
  entries: readonly Entry[],
  audit: Audit,
  names: ReadonlySet<string>,
): Promise<Detail[]> {
  const isAsked = ([name]: readonly [name: string, ...unknown[]]) => names.size === 0 || names.has(name);
  const [ofEntry, ofUse] = [heldValues.filter(isAsked), useValues.filter(isAsked)];
  const lines = linesOf(entries.length, (start, end) => {
    const some = entries.slice(start, end);
    const uses = some.map(({ id }) => audit.useOf(id));
    return [...ofEntry.map(([, value]) => some.map(value)), ...ofUse.map(([, value]) => uses.map(value))];
  });
  const details: Detail[] = [['columns', namesLine([...ofEntry, ...ofUse].map(([name]) => name))]];
  await inSlices(lines, (line) => details.push(['rows[]', line]));
  return details;
}

function legible(value: string | undefined): string | undefined {
  return value === undefined ? undefined : fromWire(value);
}
