import { setImmediate as turn } from 'node:timers/promises';
import { mergeAbout, readAbout } from '../protocol/about.ts';
import type { Attributes } from '../protocol/attributes.ts';
import { linesOf, namesLine } from '../protocol/columns.ts';
import type { EpochSeconds, Seconds, Target } from '../protocol/credential.ts';
import { documentLine } from '../protocol/document-line.ts';
import { KeyholdError } from '../protocol/errors.ts';
import { readFront } from '../protocol/fronts.ts';
import type { Grant } from '../protocol/grant.ts';
import type { CredentialReply, Detail } from '../protocol/handler.ts';
import { fromWire } from '../protocol/text.ts';
import type { Audit } from './audit/audit.ts';
import type { Use } from './audit/usage.ts';
import type { Custody } from './custody.ts';
import type { Erased } from './erased/erased.ts';
import { isListedBy } from './fronts.ts';
import type { Act } from './manage.ts';
import { nextAt, type Recheck, recheckIn } from './tombstones/recheck.ts';
import type { Tombstone } from './tombstones/tombstone.ts';
import type { Entry } from './unlocked/set.ts';

/** Characters of a reason that somebody gives, and of a name that they give themselves. */
const TEXT_MAX = 256;

/** The management actions of what is held and of what has died. */
export const tokenActs = {
  async list({ custody, tombstones, bin, audit }, { attributes, tool, front }) {
    await custody.ready();
    if (tool !== undefined) return listOfFront(custody, tool, front);
    if (attributes.text('erased') === '1') {
      return { status: 'ok', details: bin.all().map((one) => ['item[]', line(erasedItem(one, bin.left(one)))]) };
    }
    if (attributes.text('deleted') === '1') {
      const rechecks = new Map(custody.own.of('recheck').map((record) => [record.id, recheckIn(record)?.recheck]));
      return {
        status: 'ok',
        details: tombstones.all().map((one) => ['item[]', line(deletedItem(one, rechecks.get(one.id)))]),
      };
    }
    // What was counted in the last second and waits is told, too: somebody may go by it before a token dies.
    audit.flush();
    const service = attributes.text('service');
    const held = [...custody.held()];
    const entries = service === undefined ? held : held.filter((entry) => mayBeOf(entry, service));
    if (attributes.text('compact') !== '1') {
      return {
        status: 'ok',
        details: entries.map((entry) => ['item[]', line(heldItem(entry, audit.useOf(entry.id)))]),
      };
    }
    return { status: 'ok', details: await heldColumns(entries, audit, new Set(attributes.list('name[]'))) };
  },

  async annotate({ custody, log }, { attributes }) {
    const change = readAbout(attributes);
    if (!change) throw new KeyholdError('bad_request', 'cannot annotate: it says nothing, such as label');
    await custody.ready();
    const entry = entryIn(custody, attributes, 'annotate');
    await custody.inTurn(entry, async () => {
      if (custody.at(entry)?.id !== entry.id) throw gone('annotate');
      const now = custody.at(entry)!;
      await custody.annotate(now, mergeAbout(now.about, change));
    });
    log('annotated', { id: entry.id });
    return { status: 'ok', ids: [entry.id] };
  },

  async share({ custody, log }, { attributes }) {
    const front = readFront(attributes.text('front') ?? '')!;
    const isUndone = attributes.text('undo') === '1';
    await custody.ready();
    const entry = entryIn(custody, attributes, 'share');
    await custody.inTurn(entry, async () => {
      const now = custody.at(entry);
      if (now?.id !== entry.id) throw gone('share');
      if (now.front !== undefined) {
        const remedy = `it is kept for ${now.front} alone; to remove it: keyhold token remove ${now.id}`;
        throw new KeyholdError('bad_request', `cannot share: ${remedy}`);
      }
      const others = (now.fronts ?? []).filter((one) => one !== front);
      await custody.amend(now, { fronts: isUndone ? others : [...others, front] });
    });
    log('annotated', { id: entry.id });
    return { status: 'ok', ids: [entry.id], details: [['item[]', line(heldItem(custody.at(entry) ?? entry))]] };
  },

  async bury({ custody, tombstones, log }, { attributes }) {
    const [reason, actor] = [textIn(attributes, 'reason'), textIn(attributes, 'actor')];
    await custody.ready();
    const entry = entryIn(custody, attributes, 'bury');
    await tombstones.bury(entry, { reason, actor });
    log('buried', { id: entry.id });
    return { status: 'ok', ids: [entry.id] };
  },

  async restoreErased({ custody, bin, log }, { attributes }) {
    await custody.ready();
    const held = await bin.restore(attributes.text('id') ?? '', attributes.text('replace') === '1');
    log('stored', { id: held.id });
    return { status: 'ok', ids: [held.id], details: [['id', held.id]] };
  },
} as const satisfies Readonly<Record<string, Act>>;

/** What a tool's helper may list: a front its own credentials, every other tool none. */
function listOfFront(custody: Custody, tool: string, front: string | undefined): CredentialReply {
  if (front === undefined) {
    return { status: 'unsupported', message: `cannot list: the protocol of ${tool} lists nothing` };
  }
  const listed = [...custody.held()].filter((entry) => isListedBy(entry, front));
  return { status: 'ok', details: listed.map((entry) => ['item[]', line(heldItem(entry))]) };
}

/** The entry whose id a request names. Throws `not_found`. */
function entryIn(custody: Custody, attributes: Attributes, verb: string): Entry {
  const id = attributes.text('id');
  for (const entry of custody.held()) if (entry.id === id) return entry;
  throw gone(verb);
}

function gone(verb: string): KeyholdError {
  return new KeyholdError('not_found', `cannot ${verb}: nothing with that id is held`);
}

function textIn(attributes: Attributes, key: string): string | undefined {
  const value = attributes.text(key);
  if (value === undefined || value === '') return undefined;
  const text = fromWire(value);
  if (text.includes('\ufffd') || text.length > TEXT_MAX) {
    throw new KeyholdError('bad_request', `cannot read ${key}: it is not UTF-8 of at most ${TEXT_MAX} characters`);
  }
  return text;
}

/** Whether an entry belongs to a service, or is from before that was noted. */
function mayBeOf({ about }: Entry, service: string): boolean {
  return about === undefined || about.service === service;
}

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
  ['unlocked', ({ secrets }) => secrets !== undefined],
  ['memoryOnly', ({ resting }) => resting === undefined],
];

/** What it has of its use. */
const useValues: Values<Use | undefined> = [
  ['lastUsed', (use) => use?.last],
  ['uses', (use) => use?.count ?? 0],
];

/** Lines that are made in one go, of 300 tokens each: a get that comes meanwhile waits for no more than that. */
const LINES_A_TURN = 3;

/** The columns of those names, or all. */
async function heldColumns(entries: readonly Entry[], audit: Audit, names: ReadonlySet<string>): Promise<Detail[]> {
  const isAsked = ([name]: readonly [name: string, ...unknown[]]) => names.size === 0 || names.has(name);
  const [ofEntry, ofUse] = [heldValues.filter(isAsked), useValues.filter(isAsked)];
  const lines = linesOf(entries.length, (start, end) => {
    const some = entries.slice(start, end);
    const uses = some.map(({ id }) => audit.useOf(id));
    return [...ofEntry.map(([, value]) => some.map(value)), ...ofUse.map(([, value]) => uses.map(value))];
  });
  const details: Detail[] = [['columns', namesLine([...ofEntry, ...ofUse].map(([name]) => name))]];
  for (const line of lines) {
    if (details.length % LINES_A_TURN === 0) await turn();
    details.push(['rows[]', line]);
  }
  return details;
}

function legible(value: string | undefined): string | undefined {
  return value === undefined ? undefined : fromWire(value);
}

/** What an entry is and when it was used, for people: never a value. */
export function heldItem(entry: Entry, use?: Use): Record<string, unknown> {
  return {
    id: entry.id,
    ...targetItem(entry),
    authtype: entry.authtype,
    ...entry.about,
    oauth: undefined,
    refresh: refreshOf(entry.about?.oauth),
    ended: entry.about?.ended?.status,
    endedAt: entry.about?.ended?.at,
    shown: entry.shown,
    made: entry.made,
    fronts: entry.front === undefined ? entry.fronts : [entry.front],
    front: entry.front,
    storedAt: entry.storedAt,
    expiresAt: entry.expiresAt,
    unlocked: entry.secrets !== undefined,
    memoryOnly: entry.resting === undefined,
    lastUsed: use?.last,
    uses: use?.count ?? 0,
  };
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

function targetItem({ protocol, host, path, username }: Target): Record<string, string | undefined> {
  const text = (value: string | undefined) => (value === undefined ? undefined : fromWire(value));
  return { protocol, host, path: text(path), username: text(username) };
}

function line(document: Record<string, unknown>): string {
  return documentLine(document);
}

/** `ours`: it is refreshed here; `begun`: one is under way, or was cut off; `ended`: somebody has to sign in again. */
function refreshOf(grant: Grant | undefined): string | undefined {
  if (!grant) return undefined;
  if (grant.ended) return 'ended';
  return grant.begunAt === undefined ? 'ours' : 'begun';
}
