import { mergeAbout, readAbout } from '../protocol/about.ts';
import type { Attributes } from '../protocol/attributes.ts';
import type { EpochSeconds, Target } from '../protocol/credential.ts';
import { KeyholdError } from '../protocol/errors.ts';
import { fromWire, toWire } from '../protocol/text.ts';
import type { Use } from './audit/usage.ts';
import type { Custody } from './custody.ts';
import type { Act } from './manage.ts';
import type { Tombstone } from './tombstones/tombstone.ts';
import type { Entry } from './unlocked/set.ts';

/** Characters of a reason that somebody gives, and of a name that they give themselves. */
const TEXT_MAX = 256;

/** The management actions of what is held and of what has died. */
export const tokenActs = {
  async list({ custody, tombstones, audit }, { attributes }) {
    await custody.ready();
    if (attributes.text('deleted') === '1') {
      return { status: 'ok', details: tombstones.all().map((one) => ['item[]', line(deletedItem(one))]) };
    }
    return {
      status: 'ok',
      details: [...custody.held()].map((entry) => ['item[]', line(heldItem(entry, audit.useOf(entry.id)))]),
    };
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

  async bury({ custody, tombstones, log }, { attributes }) {
    const [reason, actor] = [textIn(attributes, 'reason'), textIn(attributes, 'actor')];
    await custody.ready();
    const entry = entryIn(custody, attributes, 'bury');
    await tombstones.bury(entry, { reason, actor });
    log('buried', { id: entry.id });
    return { status: 'ok', ids: [entry.id] };
  },
} as const satisfies Readonly<Record<string, Act>>;

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

/** What an entry is and when it was used, for people: never a value. */
function heldItem(entry: Entry, use: Use | undefined): Record<string, unknown> {
  return {
    id: entry.id,
    ...targetItem(entry),
    authtype: entry.authtype,
    ...entry.about,
    storedAt: entry.storedAt,
    expiresAt: entry.expiresAt,
    unlocked: entry.secrets !== undefined,
    memoryOnly: entry.resting === undefined,
    lastUsed: use?.last,
    uses: use?.count ?? 0,
  };
}

type DeletedItem = { readonly id: string; readonly storedAt: EpochSeconds; readonly revokedAt: EpochSeconds };

/** What remains of a token that was revoked. Its id is the one that it had. */
function deletedItem(tombstone: Tombstone): DeletedItem & Record<string, unknown> {
  const { credential, about, storedAt, expiresAt, revokedAt, reason, actor } = tombstone;
  return { id: credential, ...targetItem(tombstone), ...about, storedAt, expiresAt, revokedAt, reason, actor };
}

function targetItem({ protocol, host, path, username }: Target): Record<string, string | undefined> {
  const text = (value: string | undefined) => (value === undefined ? undefined : fromWire(value));
  return { protocol, host, path: text(path), username: text(username) };
}

function line(document: Record<string, unknown>): string {
  return toWire(JSON.stringify(document));
}
