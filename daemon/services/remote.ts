import { mergeAbout } from '../../protocol/about.ts';
import type { Target } from '../../protocol/credential.ts';
import type { CredentialReply } from '../../protocol/handler.ts';
import { kindOf, type Manifest, type Operation, type Read } from '../../protocol/services/index.ts';
import { fromWire } from '../../protocol/text.ts';
import { release } from '../access/release.ts';
import { disposeSecrets, withBytes } from '../backends/secrets.ts';
import { entryById } from '../credentials/entry-by-id.ts';
import type { CredentialStore } from '../credentials/held/credential-store.ts';
import type { Entry } from '../credentials/unlocked/set.ts';
import { type ActorParts, actorFor, heldAt } from './actor.ts';
import { item, told } from './asking.ts';
import { type CallParts, call, disposeAll } from './call.ts';
import { dateIn } from './dates.ts';
import { learnOwnId, type NoteParts } from './own-id.ts';
import { kindOfToken } from './planning.ts';
import { endedIn, sightOf } from './verdicts.ts';
import { type KnownServices, serviceAt } from './which-service.ts';

/** What a question about the tokens of a service needs. */
export type RemoteParts = CallParts &
  ActorParts &
  NoteParts &
  KnownServices & { readonly credentials: Pick<CredentialStore, 'lifecycle'> };

/** One token as the service sees it, in our words. */
export type Remote = {
  readonly tokenId?: string;
  readonly name?: string;
  readonly kind: string;
  readonly [more: string]: unknown;
};

/** Whose tokens are listed, where. `as` is the id of the credential that makes the call. */
export type RemoteListRequest = {
  readonly place: Target;
  readonly service: string | undefined;
  readonly kind: string | undefined;
  readonly user: string | undefined;
  readonly as: string | undefined;
};

/**
 * The tokens of a service as it lists them, beside those that are held: `both`, `server` (nobody here holds it) and
 * `local` (the service does not list it). No value is in it, whatever the service answers.
 */
export async function remoteList(
  parts: RemoteParts,
  { place, service, user, kind, ...asked }: RemoteListRequest,
): Promise<CredentialReply> {
  await parts.credentials.lifecycle.ready();
  const manifest = serviceAt(parts, place, service);
  const as =
    asked.as === undefined ? undefined : entryById(parts.credentials.entries, asked.as, 'find the token', 'as');
  const listed = await listRemote(parts, manifest, { place, user, kind, as });
  if ('status' in listed) return listed;
  const { remotes } = listed;
  const held = user === undefined ? heldAt(parts, manifest, place).filter((entry) => isOf(manifest, entry, kind)) : [];
  await learnIds(parts, remotes, held);
  await learnOwnIds(parts, manifest, held);
  await noteInactive(parts, remotes, held);
  const items = merged(remotes, held);
  const limit = manifest.limits?.active;
  return {
    status: 'ok',
    details: [
      ...items.map(item),
      ...told('active', remotes.filter(({ active }) => active !== false).length),
      ...told('limit', user === undefined ? limit : undefined),
    ],
  };
}

export type ListQuestion = {
  readonly place: Target;
  readonly user?: string | undefined;
  readonly kind?: string | undefined;
  readonly as?: Entry | undefined;
};

/** What the service lists, or why it does not. */
export async function listRemote(
  parts: CallParts & ActorParts,
  manifest: Manifest,
  { place, user, kind, as }: ListQuestion,
): Promise<{ readonly remotes: readonly Remote[] } | CredentialReply> {
  const operation: Operation = user === undefined ? 'list' : 'listUser';
  const question = { manifest, operation, kind, target: place, values: user === undefined ? {} : { user } };
  const actor = actorFor(parts, question, as);
  const heard = await call(parts, { ...question, as: actor });
  if (!heard.ok) return heard.reply;
  disposeAll(heard.secrets);
  const { name } = kindOf(manifest, kind) ?? manifest.kinds[0]!;
  return { remotes: heard.items.map((read) => remoteOf(read, name)) };
}

function remoteOf(read: Read, kind: string): Remote {
  const { id, name, scopes, active, user, account, tenant, prefix, uses } = read;
  const kept = {
    tokenId: textOf(id),
    name: textOf(name),
    kind: textOf(read.kind) ?? kind,
    prefix: textOf(prefix),
    scopes: Array.isArray(scopes) ? scopes : undefined,
    createdAt: dateIn(read.createdAt),
    expiresAt: dateIn(read.expiresAt),
    lastUsedAt: dateIn(read.lastUsedAt),
    uses: typeof uses === 'number' ? uses : undefined,
    user: textOf(user),
    account: textOf(account),
    tenant: textOf(tenant),
    active: typeof active === 'boolean' ? active : undefined,
  };
  return Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== undefined)) as Remote;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

function isOf(manifest: Manifest, entry: Entry, kind: string | undefined): boolean {
  return kind === undefined || kindOfToken(manifest, entry).name === kind;
}

/**
 * Learns the service's id of a held token, such as one that was pasted, where the list shows how its value begins: only where one
 * listed token alone begins like the value, and no other held one does.
 */
async function learnIds(
  parts: NoteParts & Pick<CallParts, 'caller' | 'credentials'>,
  remotes: readonly Remote[],
  held: readonly Entry[],
): Promise<void> {
  const { credentials } = parts;
  const known = new Set(held.map(({ about }) => about?.tokenId));
  const listed = remotes.filter(({ tokenId, prefix }) => tokenId !== undefined && !known.has(tokenId) && prefix);
  if (listed.length === 0) return;
  const found = new Map<string, Entry | undefined>();
  for (const entry of held.filter(({ about }) => about?.tokenId === undefined)) {
    const secrets = await release(parts.credentials.values, entry, parts.caller, 'compare');
    if (!secrets) continue;
    const value = secrets.secret && withBytes(secrets.secret, (bytes) => beginning(bytes));
    disposeSecrets(secrets);
    const [one, another] = listed.filter(({ prefix }) => beginsLike(value, String(prefix)));
    if (one && !another) found.set(one.tokenId!, found.has(one.tokenId!) ? undefined : entry);
  }
  for (const [tokenId, entry] of found) {
    if (!entry) continue;
    await credentials.queue.run(entry, async () => {
      if (credentials.entries.at(entry) === entry)
        await credentials.changes.annotate(entry, mergeAbout(entry.about, { tokenId }));
    });
  }
}

/** Held tokens that are asked for their ids because of one list. */
const ASKED_MAX = 16;

/** The same for those whose service has a call by which a token tells its own id. */
async function learnOwnIds(
  parts: CallParts & NoteParts & Pick<ActorParts, 'clock'>,
  manifest: Manifest,
  held: readonly Entry[],
): Promise<void> {
  const now = parts.clock.now();
  const unknown = held
    .flatMap((entry) => parts.credentials.entries.at(entry) ?? [])
    .filter(({ about, expiresAt }) => {
      const isAlive = about?.ended === undefined && (expiresAt === undefined || expiresAt > now);
      return about?.tokenId === undefined && isAlive;
    });
  for (const entry of unknown.slice(0, ASKED_MAX)) await learnOwnId(parts, manifest, { as: entry });
}

/** As much of a value as a service shows of it at most: less than any whole token has. */
const SHOWN_MAX = 16;
/** Characters that must agree: less is the beginning of many tokens. */
const SHOWN_MIN = 6;

function beginning(bytes: Uint8Array): string {
  return Buffer.from(bytes.subarray(0, Math.min(SHOWN_MAX, bytes.length >> 1))).toString('latin1');
}

function beginsLike(value: string | undefined, prefix: string): boolean {
  const shown = prefix.replace(/(\.{3}|\u2026|\*+)$/, '');
  return value !== undefined && shown.length >= SHOWN_MIN && shown.length <= SHOWN_MAX && value.startsWith(shown);
}

/** What a list says of tokens that are held: one that it has as inactive is not served on. */
async function noteInactive(
  parts: Pick<CallParts, 'verdicts'> & Pick<ActorParts, 'clock'>,
  remotes: readonly Remote[],
  held: readonly Entry[],
): Promise<void> {
  for (const { tokenId, active, expiresAt } of remotes) {
    const entry = active === false ? held.find(({ about }) => about?.tokenId === tokenId) : undefined;
    if (!entry || tokenId === undefined) continue;
    await parts.verdicts.note(entry, sightOf(entry), endedIn({ active, expiresAt }, parts.clock.now()));
  }
}

function merged(remotes: readonly Remote[], held: readonly Entry[]): object[] {
  const left = new Set(held);
  const items = remotes.map((remote) => {
    const entry = held.find((one) => left.has(one) && isSame(remote, one));
    if (!entry) return { state: 'server', ...remote };
    left.delete(entry);
    return { state: 'both', ...remote, ...localOf(entry) };
  });
  return [...items, ...[...left].map((entry) => ({ state: 'local', ...localOf(entry), kind: entry.about?.kind }))];
}

/** By the service's own id where it is known; else by the name. */
function isSame({ tokenId, name }: Remote, { about, username }: Entry): boolean {
  if (about?.tokenId !== undefined) return about.tokenId === tokenId;
  return name !== undefined && (about?.label ?? (username && fromWire(username))) === name;
}

function localOf({ id, about, username, expiresAt, storedAt }: Entry) {
  const own = { id, label: about?.label, username: username && fromWire(username), storedAt };
  return {
    ...own,
    ...(about?.fingerprint !== undefined && { fingerprint: about.fingerprint }),
    ...(about?.tokenId !== undefined && { tokenId: about.tokenId }),
    ...(expiresAt !== undefined && { expiresAt }),
  };
}
