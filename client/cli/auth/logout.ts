import type { Manifest } from '../../../protocol/services/index.ts';
import { exitCodeOf } from '../../../protocol/status.ts';
import { fromWire } from '../../../protocol/text.ts';
import type { Connection } from '../../dial.ts';
import { openFile } from '../../formats/file.ts';
import type { Leaf } from '../../formats/leaf.ts';
import { type Format, pick, readLeaves } from '../../formats/read.ts';
import { removeLeaves } from '../../formats/remove.ts';
import { besideOf } from '../../import/services.ts';
import { secretOf } from '../../import/source.ts';
import { writeWhole } from '../../install/files.ts';
import { pathsOf } from '../../services/paths.ts';
import { ask, detail, requestOf, withAgent } from '../agent.ts';
import { confirm } from '../confirm.ts';
import { CommandFailure } from '../failure.ts';
import { show } from '../page.ts';
import { type TokenItem, targetOfItem, tokenItems } from '../token/item.ts';
import { SERVICE_DEADLINE, servicePlace } from '../token/service-place.ts';
import type { DestructiveOptions } from '../verb.ts';
import { currentOf, spokenAccount } from './current.ts';
import type { AuthOptions } from './options.ts';

/** What of a service's own file would be taken out, and what stays there: the names of fields, never a value. */
type Clearing = {
  readonly path: string;
  readonly fields: readonly string[];
  /** Other tokens in the file, which are not the one that is logged out. */
  readonly left: readonly string[];
  readonly bytes: Buffer;
  readonly mode: number;
};

/**
 * `keyhold auth logout`: ends the token at the service where that can be done, removes it here, and takes it out of the file of the
 * service's own program, if that holds the same value. What is going to happen is shown first. Silent where nobody is signed in.
 */
export async function logout(options: AuthOptions & DestructiveOptions): Promise<void> {
  await withAgent(async (agent) => {
    const held = await tokenItems(agent);
    const found = currentOf(held, options);
    if (found.length > 1) {
      const names = found.map(spokenAccount).join(', ');
      throw new CommandFailure(2, `cannot tell which account is meant: ${names}; give --service NAME or --for URL`);
    }
    const [current] = found;
    if (!current) {
      // Checks that the service and the server that were named are known.
      if (options.service !== undefined || options.for !== undefined) servicePlace(options, held);
      show(options.json, { revoked: false, removed: false, cleared: [] }, (page) => page.line('Nobody was signed in.'));
      return;
    }
    const { item, manifest } = current;
    // Before the token ends: afterwards there is nothing left to compare a file's values with.
    const clearings = manifest ? await clearingsOf(agent, manifest, item) : [];
    if (!options.json) {
      show(false, undefined, (page) => {
        page.line(`To be ended and removed: the token of ${item.account ?? item.label ?? item.username ?? item.id}`);
        for (const { path, fields, left } of clearings) {
          page.line(`To be taken out of ${path}: ${fields.join(', ')}`);
          if (left.length > 0) page.line(`To be left there, because it is another token: ${left.join(', ')}`);
        }
      });
    }
    await confirm('Sign out?', options);
    const reply = await agent(requestOf('revoke', { attributes: { id: item.id, reason: 'signed out' } }));
    // A service without a call for the end, or one that refuses the token, must not keep the person signed in here.
    const isLocal = ['unsupported', 'bad-request', 'interaction-required', 'expired', 'revoked'].includes(reply.status);
    if (reply.status !== 'ok' && !isLocal) throw new CommandFailure(exitCodeOf(reply.status), reply.message);
    if (reply.status !== 'ok') {
      await ask(agent, 'erase', { target: targetOfItem(item), id: item.id, attributes: { purge: '1' } });
    }
    const upstream = reply.status === 'ok' ? 'revoked' : `kept: ${reply.message}`;
    const probe = detail(reply.details, 'probe');
    for (const { path, bytes, mode } of clearings) writeWhole(path, bytes, mode);
    const cleared = clearings.map(({ path }) => path);
    const isAlive = probe === 'alive';
    const isRevoked = upstream === 'revoked';
    show(options.json, { revoked: isRevoked, removed: true, cleared, upstream, probe }, (page) => {
      const isDead = isRevoked && !isAlive;
      page.line(isDead ? 'Signed out; the token is dead there, too.' : 'Signed out here.', 'green');
      if (upstream.startsWith('kept')) page.line(upstream.replace(/^kept: /, ''), 'yellow');
      for (const path of cleared) page.line(`Taken out of ${path}.`);
    });
    // It was confirmed, and it is taken all the same: somebody must look at that.
    if (!isAlive) return;
    const still = 'the token still works although its service confirmed the end; end it on its page';
    // A document says it by its `probe`.
    throw new CommandFailure(1, options.json ? '' : still);
  }, SERVICE_DEADLINE);
}

/** The service's own files that hold this very token, and what they would be without it. Contacts the agent only. */
async function clearingsOf(agent: Connection, { files = [] }: Manifest, item: TokenItem): Promise<Clearing[]> {
  const places = files.flatMap((file) =>
    file.clearable && file.format !== 'binary' && file.fields?.['value'] !== undefined
      ? pathsOf(file.path, process.env).map((path) => ({ path, format: file.format as Format, fields: file.fields! }))
      : [],
  );
  const clearings: Clearing[] = [];
  for (const [path, inFile] of Map.groupBy(places, (place) => place.path)) {
    const clearing = await clearingOf(agent, path, inFile, item);
    if (clearing) clearings.push(clearing);
  }
  return clearings;
}

type PlaceInFile = { readonly format: Format; readonly fields: Readonly<Record<string, string>> };

/** One file; undefined where it does not hold the token. Throws a `CommandFailure` where it does and no cut takes it out. */
async function clearingOf(
  agent: Connection,
  path: string,
  places: readonly PlaceInFile[],
  item: TokenItem,
): Promise<Clearing | undefined> {
  const { format } = places[0]!;
  const opened = openFile(path);
  if (opened.status !== 'ok') return undefined;
  const read = await readLeaves(format, opened.bytes);
  if (read.status !== 'ok') return undefined;
  const gone: Leaf[] = [];
  const left: Leaf[] = [];
  for (const { fields } of places) {
    for (const leaf of pick(read.leaves, fields['value']!)) {
      if (await isValueOf(agent, item, leaf.value)) gone.push(leaf, ...besideIt(read.leaves, leaf, fields, item));
      else left.push(leaf);
    }
  }
  if (gone.length === 0) return undefined;
  const removed = await removeLeaves(
    format,
    opened.bytes,
    gone.map((leaf) => leaf.path),
  );
  if (removed.status !== 'ok') {
    throw new CommandFailure(1, `cannot take the token out of ${path}: ${removed.why}; nothing was changed`);
  }
  const names = (leaves: readonly Leaf[]) => leaves.map((leaf) => leaf.path.join('.'));
  const mode = opened.stats.mode & 0o777;
  return { path, fields: names(gone), left: names(left), bytes: removed.bytes, mode };
}

/** Whether a value is the one that is held under this id. The agent compares; no held value comes here. */
async function isValueOf(agent: Connection, item: TokenItem, value: string): Promise<boolean> {
  if (value === '') return false;
  const secret = secretOf(value);
  try {
    const reply = await agent(requestOf('same', { target: targetOfItem(item), id: item.id, secret }));
    return reply.status === 'ok' && detail(reply.details, 'same') === 'true';
  } finally {
    secret.dispose();
  }
}

/**
 * What goes with the token: the end and the refresh token of the same login, and the user and tenant where they are those of
 * the one that is logged out.
 */
function besideIt(
  leaves: readonly Leaf[],
  leaf: Leaf,
  { value, ...others }: Readonly<Record<string, string>>,
  { username, account, tenant }: TokenItem,
): Leaf[] {
  const own: Readonly<Record<string, readonly (string | undefined)[]>> = {
    user: [username, account],
    tenant: [tenant],
    // A setting of the program, and no part of a login.
    endpoint: [],
  };
  return Object.entries(others).flatMap(([name, pointer]) => {
    const found = besideOf(leaves, leaf, value!, pointer);
    if (!found) return [];
    return own[name] === undefined || own[name].includes(fromWire(found.value)) ? [found] : [];
  });
}
