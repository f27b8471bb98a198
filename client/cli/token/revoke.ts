import type { Command } from 'commander';
import type { Target } from '../../../protocol/credential.ts';
import { callOf } from '../../../protocol/services/index.ts';
import { exitCodeOf } from '../../../protocol/status.ts';
import { fromWire, printable, toWire } from '../../../protocol/text.ts';
import type { Connection } from '../../dial.ts';
import { detail, documents, requestOf, withAgent } from '../agent.ts';
import { confirm } from '../confirm.ts';
import { CommandFailure } from '../failure.ts';
import { type Page, show } from '../page.ts';
import { addDestructiveVerb, type DestructiveOptions } from '../verb.ts';
import { deletedItems, type TokenItem, tokenItems } from './item.ts';
import { resolveToken } from './resolve.ts';
import {
  addServicePlace,
  SERVICE_DEADLINE,
  type ServicePlace,
  type ServicePlaceOptions,
  servicePlace,
} from './service-place.ts';
import { usesOf } from './uses.ts';

const RECHECK_ID = /^[0-9a-f]{20}$/;

type RevokeOptions = ServicePlaceOptions &
  DestructiveOptions & {
    readonly all?: boolean;
    readonly user?: string;
    readonly kind?: string;
    readonly reason?: string;
    readonly as?: string;
  };

/** A token that is to be revoked: one that is held, or one that only its service knows. */
export type Doomed = Partial<TokenItem> & { readonly name?: string; readonly place?: ServicePlace };

/** How it ended for one of them. */
type Result = {
  readonly token: Doomed;
  readonly exitCode: number;
  readonly message?: string;
  readonly upstream?: string | undefined;
  readonly probe?: string | undefined;
  readonly recheck?: readonly string[];
  readonly note?: string | undefined;
  /** The agent looks again by itself. */
  readonly watched?: boolean;
};

/** `keyhold token revoke`: at the service, then here; a probe shows that it is dead. */
export function addRevoke(token: Command): void {
  addServicePlace(addDestructiveVerb(token, 'revoke', 'end tokens at their service, and here'))
    .argument('[tokens...]', 'labels, ids, or beginnings of ids')
    .option('--all', 'every token of the service; with --user every one of that user')
    .option('--user <id>', "another user's tokens, by their id (for administrators)")
    .option('--kind <kind>', 'tokens of this kind')
    .option('--reason <text>', 'why, for the log and the tombstone')
    .option('--as <token>', 'the held token that makes the call')
    .action(revoke);
}

async function revoke(words: readonly string[], options: RevokeOptions): Promise<void> {
  await withAgent(async (agent) => {
    const held = await tokenItems(agent);
    const doomed = await doomedOf(agent, words, held, options);
    await revokeAll(agent, doomed, held, options);
  }, SERVICE_DEADLINE);
}

/** Shows who used them, asks, and revokes one after the other; the first that fails gives the exit code. */
export async function revokeAll(
  agent: Connection,
  doomed: readonly Doomed[],
  held: readonly TokenItem[],
  options: DestructiveOptions & Pick<RevokeOptions, 'reason' | 'as' | 'kind'>,
): Promise<void> {
  const asked = options.as === undefined ? undefined : resolveToken(options.as, held);
  const able = await thoseThatCan(agent, doomed, asked?.id);
  const uses = await usesOf(agent, able.doomed);
  if (!options.json && uses.length > 0) show(false, undefined, (page) => drawUses(page, uses));
  const what = able.doomed.length === 1 ? nameOfDoomed(able.doomed[0]!) : `these ${able.doomed.length} tokens`;
  if (able.doomed.length > 0)
    await confirm(`Revoke ${what}? It cannot be undone, and what uses it fails at its next call.`, options);
  const results: Result[] = [];
  for (const one of able.doomed) results.push(await revokeOne(agent, one, asked?.id, options));
  results.push(...able.refused);
  const failed = results.find(({ exitCode }) => exitCode !== 0);
  const document = results.map(({ token: { place: _, ...token }, ...rest }) => ({ token, ...rest }));
  show(options.json, { results: document, uses }, (page) => {
    for (const result of results) drawResult(page, result);
  });
  if (failed)
    throw new CommandFailure(failed.exitCode, results.length === 1 && !options.json ? (failed.message ?? '') : '');
}

/** Before anybody is asked: what cannot be revoked is said first. An agent of before does not know the question, and says so later. */
async function thoseThatCan(
  agent: Connection,
  doomed: readonly Doomed[],
  as: string | undefined,
): Promise<{ readonly doomed: readonly Doomed[]; readonly refused: readonly Result[] }> {
  const able: Doomed[] = [];
  const refused: Result[] = [];
  for (const token of doomed) {
    // What only the service knows, and what is revoked anew, has its id already.
    if (token.place || token.id === undefined || 'revokedAt' in token) {
      able.push(token);
      continue;
    }
    const reply = await agent(requestOf('revoke', { attributes: { id: token.id, as, check: '1' } }));
    if (reply.status === 'ok') able.push(token);
    else refused.push({ token, exitCode: exitCodeOf(reply.status), message: reply.message });
  }
  return { doomed: able, refused };
}

async function revokeOne(
  agent: Connection,
  token: Doomed,
  as: string | undefined,
  { reason, kind }: Pick<RevokeOptions, 'reason' | 'kind'>,
): Promise<Result> {
  const common = { as, reason: reason && toWire(reason), actor: process.env['USER'] && toWire(process.env['USER']) };
  const { place } = token;
  const request = place
    ? requestOf('revoke', {
        target: place.target,
        attributes: {
          ...common,
          service: place.manifest.id,
          token_id: toWire(token.tokenId ?? ''),
          kind: kind ?? token.kind,
        },
      })
    : requestOf('revoke', { attributes: { ...common, id: token.id } });
  const reply = await agent(request);
  if (reply.status !== 'ok') return { token, exitCode: exitCodeOf(reply.status), message: reply.message };
  const { details = [] } = reply;
  const probe = detail(details, 'probe');
  return {
    token,
    // It was confirmed, and it still works: somebody must look at that.
    exitCode: probe === 'alive' ? 1 : 0,
    ...(probe === 'alive' && { message: `${nameOfDoomed(token)} still works although its service confirmed the end` }),
    upstream: detail(details, 'upstream'),
    probe,
    recheck: details.filter(([key]) => key === 'recheck[]').map(([, value]) => fromWire(value)),
    note: detail(details, 'note'),
    watched: detail(details, 'watched') === '1',
  };
}

async function doomedOf(
  agent: Connection,
  words: readonly string[],
  held: readonly TokenItem[],
  options: RevokeOptions,
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
  options: RevokeOptions,
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

async function everyOne(agent: Connection, held: readonly TokenItem[], options: RevokeOptions): Promise<Doomed[]> {
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
  { user, kind }: RevokeOptions,
): Promise<Doomed[] | undefined> {
  const attributes = { service: place.manifest.id, user, kind };
  const reply = await agent(requestOf('remote-list', { target: place.target as Target, attributes }));
  if (reply.status === 'unsupported') return undefined;
  if (reply.status !== 'ok') throw new CommandFailure(exitCodeOf(reply.status), reply.message);
  return documents(reply.details, 'item[]') as unknown as Doomed[];
}

function nameOfDoomed({ name, label, username, tokenId, id }: Doomed): string {
  return name ?? label ?? username ?? tokenId ?? id ?? '';
}

/** Whether nothing is known of it but the word by which it was named. */
function isWordAlone({ id, name, kind, place }: Doomed): boolean {
  return place !== undefined && id === undefined && name === undefined && kind === undefined;
}

/** Whether the service has a call that lists tokens. */
function hasList(place: ServicePlace | undefined): boolean {
  return place !== undefined && callOf(place.manifest, 'list').status === 'ok';
}

/** Who used tokens lately, before they die. */
export function drawUses(page: Page, uses: Awaited<ReturnType<typeof usesOf>>): void {
  page.line('Used in the last days:', 'bold');
  for (const { name, text } of uses) page.line(`- ${name}: ${text}`, undefined, '  ');
}

function drawResult(page: Page, { token, exitCode, message, upstream, probe, ...later }: Result): void {
  const name = nameOfDoomed(token);
  if (exitCode !== 0) return void page.line(`${name}: ${message}`, 'red');
  const proof = probe === 'dead' ? '; a probe shows that it is dead' : '';
  page.line(upstream === 'gone' ? `${name} was gone there already${proof}.` : `Revoked ${name}${proof}.`, 'green');
  // A mistyped id looks the same: some services answer 404 to it, and others confirm every id that has the right form.
  if (isWordAlone(token) && (upstream === 'gone' || hasList(token.place)))
    page.line('No list shows it; if the name may be mistyped, see: keyhold token list --remote', 'yellow');
  drawRecheck(page, later);
}

/** When to look whether it stays dead, where the service may forget that. */
export function drawRecheck(page: Page, { recheck = [], note, watched }: Pick<Result, 'recheck' | 'note' | 'watched'>) {
  if (recheck.length === 0) return;
  const times = recheck.join(', ');
  const what = watched
    ? `The agent looks again after ${times}; keyhold status says if it works once more.`
    : `Look again after ${times}.`;
  page.line(`${note} ${what}`, 'yellow');
}
