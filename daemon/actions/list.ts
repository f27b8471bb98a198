import type { EpochSeconds, Seconds } from '../../protocol/credential.ts';
import { documentLine } from '../../protocol/document-line.ts';
import type { CredentialReply, Detail } from '../../protocol/handler.ts';
import { isSet } from '../../protocol/wire/reading.ts';
import { isListedBy } from '../credentials/fronts.ts';
import type { CredentialStore } from '../credentials/held/credential-store.ts';
import { heldItem, targetItem } from '../credentials/held-item.ts';
import type { Entry } from '../credentials/unlocked/set.ts';
import type { Audit } from '../history/audit/audit.ts';
import type { Erased } from '../history/erased/erased.ts';
import { nextAt, type Recheck, recheckIn } from '../history/tombstones/recheck.ts';
import type { Tombstone } from '../history/tombstones/tombstone.ts';
import { filterInSlices, inSlices } from '../slices.ts';
import { action } from './action.ts';
import { stillDeciding } from './deciding.ts';
import { heldColumns } from './list-columns.ts';
import type { Parts } from './parts.ts';

export const list = action(
  'list',
  ({ attributes, tool, front }) => ({
    tool,
    front,
    what: isSet(attributes, 'erased') ? 'erased' : isSet(attributes, 'deleted') ? 'deleted' : 'held',
    service: attributes.text('service'),
    isCompact: isSet(attributes, 'compact'),
    names: attributes.list('name[]'),
  }),
  async (
    { tool, front, what, service, isCompact, names },
    parts: Pick<Parts, 'credentials' | 'tombstones' | 'bin' | 'audit' | 'decider'>,
  ) => {
    const { credentials, audit, decider } = parts;
    if (front !== undefined && !(await decider.settled())) return stillDeciding;
    await credentials.lifecycle.ready();
    if (tool !== undefined) return listOfFront(credentials, tool, front);
    if (what === 'erased') return { status: 'ok', details: erasedItems(parts) };
    if (what === 'deleted') return { status: 'ok', details: deletedItems(parts) };
    // What was counted in the last second and waits is told, too: a person may go by it before a token dies.
    audit.flush();
    const held = [...credentials.entries.all()];
    const entries = service === undefined ? held : await filterInSlices(held, (entry) => mayBeOf(entry, service));
    if (isCompact) return { status: 'ok', details: await heldColumns(entries, audit, new Set(names)) };
    return { status: 'ok', details: await heldItems(entries, audit) };
  },
);

async function heldItems(entries: readonly Entry[], audit?: Pick<Audit, 'useOf'>): Promise<Detail[]> {
  const details: Detail[] = [];
  await inSlices(entries, (entry) => details.push(item(heldItem(entry, audit?.useOf(entry.id)))));
  return details;
}

function erasedItems({ bin }: Pick<Parts, 'bin'>): Detail[] {
  return bin.all().map((one) => item(erasedItem(one, bin.left(one))));
}

function deletedItems({ credentials, tombstones }: Pick<Parts, 'credentials' | 'tombstones'>): Detail[] {
  const rechecks = new Map(credentials.own.of('recheck').map((record) => [record.id, recheckIn(record)?.recheck]));
  return tombstones.all().map((one) => item(deletedItem(one, rechecks.get(one.id))));
}

/** What a tool's helper may list: a front its own credentials, every other tool none. */
async function listOfFront(
  credentials: Pick<CredentialStore, 'entries'>,
  tool: string,
  front: string | undefined,
): Promise<CredentialReply> {
  if (front === undefined) {
    return { status: 'unsupported', message: `cannot list: the protocol of ${tool} lists nothing` };
  }
  const listed = await filterInSlices([...credentials.entries.all()], (entry) => isListedBy(entry, front));
  return { status: 'ok', details: await heldItems(listed) };
}

/** Whether an entry belongs to a service, or is from before that was noted. */
function mayBeOf({ about }: Entry, service: string): boolean {
  return about === undefined || about.service === service;
}

type DeletedItem = { readonly id: string; readonly storedAt: EpochSeconds; readonly revokedAt: EpochSeconds };

/** What remains of a token that was revoked. Its id is the one that it had; `recheck.id` names the dead one itself. */
function deletedItem(tombstone: Tombstone, recheck: Recheck | undefined): DeletedItem & Record<string, unknown> {
  const { id, credential, about, storedAt, expiresAt, revokedAt, reason, actor } = tombstone;
  return {
    id: credential,
    ...targetItem(tombstone),
    ...about,
    ended: undefined,
    ...{ storedAt, expiresAt, revokedAt, reason, actor },
    recheck: recheck && {
      id,
      nextAt: nextAt(recheck),
      lookedAt: recheck.lookedAt,
      isAlive: recheck.isAlive,
    },
  };
}

/** What an erase took away: never a value. `left` are the seconds for which it can be brought back. */
function erasedItem(erased: Erased, left: Seconds): Record<string, unknown> {
  const { id, about, storedAt, expiresAt, authtype, erasedAt, tool } = erased;
  return {
    id,
    ...targetItem(erased),
    authtype,
    ...about,
    oauth: undefined,
    ...{ storedAt, expiresAt, erasedAt, tool, left: Math.ceil(left) },
  };
}

function item(document: Record<string, unknown>): Detail {
  return ['item[]', documentLine(document)];
}
