import type { Target } from '../../../protocol/credential.ts';
import { callOf } from '../../../protocol/services/index.ts';
import { exitCodeOf } from '../../../protocol/status.ts';
import { fromWire, printable } from '../../../protocol/text.ts';
import type { Connection } from '../../dial.ts';
import { documents, requestOf } from '../agent.ts';
import { CommandFailure } from '../failure.ts';
import { deletedItems, type TokenItem } from './item.ts';
import { resolveToken } from './resolve.ts';
import { type ServicePlace, type ServicePlaceOptions, servicePlace } from './service-place.ts';

const RECHECK_ID = /^[0-9a-f]{20}$/;

/** By which tokens are named beside words: all of a service, of another user, of a kind. */
export type DoomedOptions = ServicePlaceOptions & {
  readonly all?: boolean;
  readonly user?: string;
  readonly kind?: string;
};

/** A token that is to be revoked: one that is held, or one that only its service knows. */
export type Doomed = Partial<TokenItem> & { readonly name?: string; readonly place?: ServicePlace };

/**
 * The tokens that a person means: by label, id or the beginning of one, or all. Ends with 2 where a word means several, with 4 where
 * none is meant.
 */
export async function doomedOf(
  agent: Connection,
  words: readonly string[],
  held: readonly TokenItem[],
  options: DoomedOptions,
): Promise<Doomed[]> {
  const { all, user } = options;
  if (words.length > 0 && all) throw new CommandFailure(2, 'cannot revoke: name tokens, or give --all, not both');
  if (words.length === 0 && !all) throw new CommandFailure(2, 'cannot revoke: name a token, or give --all');
  if (all) return everyOne(agent, held, options);
  const within =
    options.service === undefined && options.for === undefined ? held : heldAt(held, servicePlace(options, held));
  const found: Doomed[] = [];
  for (const word of words) {
    const local = user === undefined ? heldToken(word, within) : undefined;
    const doomed = local ?? (await revived(agent, word)) ?? (await atService(agent, word, held, options));
    if (!found.some((one) => one.id !== undefined && one.id === doomed.id)) found.push(doomed);
  }
  return found;
}

/** The held token that a word names; undefined if none does. */
function heldToken(word: string, held: readonly TokenItem[]): TokenItem | undefined {
  try {
    return resolveToken(word, held);
  } catch (error) {
    if (error instanceof CommandFailure && error.exitCode === exitCodeOf('not-found')) return undefined;
    throw error;
  }
}

/** One that was revoked and is looked at again since, by the id that `status` names when it works once more. */
async function revived(agent: Connection, word: string): Promise<Doomed | undefined> {
  if (!RECHECK_ID.test(word)) return undefined;
  const found = (await deletedItems(agent)).find(({ recheck }) => recheck?.id === word);
  return found && { ...found, id: word };
}

/** The same for one of a service's list: its id or name, or the only one whose id begins like that. */
function listedToken(word: string, listed: readonly Doomed[]): Doomed | undefined {
  const whole = listed.filter(({ id, tokenId, name, label }) => [id, tokenId, name, label].includes(word));
  const found = whole.length > 0 ? whole : listed.filter(({ tokenId }) => tokenId?.startsWith(word));
  if (found.length < 2) return found[0];
  const ids = found.map(({ tokenId }) => tokenId ?? '').join(', ');
  throw new CommandFailure(
    2,
    printable(`cannot tell which token: "${word}" means ${found.length}: ${ids}; give one whole id`),
  );
}

function heldAt(held: readonly TokenItem[], { manifest, target }: ServicePlace): TokenItem[] {
  const { protocol, host } = target;
  const isThere = (one: TokenItem) => one.protocol === protocol && one.host === fromWire(host);
  return held.filter((one) => isThere(one) && (one.service === undefined || one.service === manifest.id));
}

/** One that nobody here holds: by the service's list where it has one, else by its whole id. */
async function atService(
  agent: Connection,
  word: string,
  held: readonly TokenItem[],
  options: DoomedOptions,
): Promise<Doomed> {
  if (options.service === undefined && options.for === undefined) {
    throw new CommandFailure(
      exitCodeOf('not-found'),
      'cannot revoke: no held token has that label or id; for one that only its service knows give --service NAME',
    );
  }
  const place = servicePlace(options, held);
  const listed = await listAt(agent, place, options);
  if (!listed) return { tokenId: word, place };
  const item = listedToken(word, listed);
  // What a list does not show may be another user's: the service decides.
  if (!item) return { tokenId: word, place };
  return item.id === undefined ? { ...item, place } : item;
}

async function everyOne(agent: Connection, held: readonly TokenItem[], options: DoomedOptions): Promise<Doomed[]> {
  const place = servicePlace(options, held);
  const listed = await listAt(agent, place, options);
  const local = options.user === undefined ? heldAt(held, place) : [];
  if (!listed && options.user !== undefined)
    throw new CommandFailure(
      exitCodeOf('unsupported'),
      `cannot revoke: ${place.manifest.title} has no call that lists another user's tokens`,
    );
  const remote = (listed ?? [])
    .filter(({ id }) => !local.some((one) => one.id === id))
    .map((item) => ({ ...item, place }));
  const isWanted = ({ kind }: Doomed) => options.kind === undefined || kind === options.kind;
  // Sessions last: they make the calls that end the others.
  const own = local
    .filter(isWanted)
    .sort((one, other) => Number(one.kind === 'session') - Number(other.kind === 'session'));
  const doomed = [...remote.filter(isWanted), ...own];
  if (doomed.length === 0) throw new CommandFailure(exitCodeOf('not-found'), 'cannot revoke: there is no such token');
  return doomed;
}

/** The service's list; undefined where it has none. */
async function listAt(
  agent: Connection,
  place: ServicePlace,
  { user, kind }: DoomedOptions,
): Promise<Doomed[] | undefined> {
  const attributes = { service: place.manifest.id, user, kind };
  const reply = await agent(requestOf('remote-list', { target: place.target as Target, attributes }));
  if (reply.status === 'unsupported') return undefined;
  if (reply.status !== 'ok') throw new CommandFailure(exitCodeOf(reply.status), reply.message);
  return documents(reply.details, 'item[]') as unknown as Doomed[];
}

/** What people call it. */
export function nameOfDoomed({ name, label, username, tokenId, id }: Doomed): string {
  return name ?? label ?? username ?? tokenId ?? id ?? '';
}

/** Whether nothing is known of it but the word by which it was named. */
export function isWordAlone({ id, name, kind, place }: Doomed): boolean {
  return place !== undefined && id === undefined && name === undefined && kind === undefined;
}

/** Whether the service has a call that lists tokens. */
export function hasList(place: ServicePlace | undefined): boolean {
  return place !== undefined && callOf(place.manifest, 'list').status === 'ok';
}
