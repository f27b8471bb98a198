import type { Manifest } from '../../../protocol/services/index.ts';
import { exitCodeOf } from '../../../protocol/status.ts';
import { writeWhole } from '../../install/files.ts';
import { pathsOf } from '../../plaintext/paths.ts';
import { type Format, openFile, pick, readLeaves } from '../../plaintext/read.ts';
import { removeLeaves } from '../../plaintext/remove.ts';
import { ask, detail, requestOf, withAgent } from '../agent.ts';
import type { AuthOptions } from '../auth.ts';
import { confirm } from '../confirm.ts';
import { CommandFailure } from '../failure.ts';
import { show } from '../page.ts';
import { targetOfItem, tokenItems } from '../token/item.ts';
import { SERVICE_DEADLINE, servicePlace } from '../token/service-place.ts';
import type { DestructiveOptions } from '../verb.ts';
import { currentOf, spokenAccount } from './current.ts';

/** What of a service's own file would be taken out: where, and which fields; never a value. */
type Clearing = {
  readonly path: string;
  readonly fields: readonly string[];
  readonly bytes: Buffer;
  readonly mode: number;
};

/**
 * `keyhold auth logout`: ends the token at the service where that can be done, removes it here, and takes it out of the file of the
 * service's own program. What is going to happen is shown first. Silent where nobody is signed in.
 */
export async function logout(options: AuthOptions & DestructiveOptions): Promise<void> {
  await withAgent(async (agent) => {
    const held = await tokenItems(agent);
    const found = currentOf(held, options);
    if (found.length > 1) {
      const names = found.map(spokenAccount).join(', ');
      throw new CommandFailure(2, `cannot tell which account is meant: ${names}; give --service NAME or --for URL`);
    }
    const manifest = found[0] ? found[0].manifest : manifestOf(options, held);
    const clearings = manifest ? await clearingsOf(manifest) : [];
    const item = found[0]?.item;
    if (!item && clearings.length === 0) {
      show(options.json, { revoked: false, removed: false, cleared: [] }, (page) => page.line('Nobody was signed in.'));
      return;
    }
    if (!options.json) {
      show(false, undefined, (page) => {
        if (item)
          page.line(`To be ended and removed: the token of ${item.account ?? item.label ?? item.username ?? item.id}`);
        for (const { path, fields } of clearings) page.line(`To be taken out of ${path}: ${fields.join(', ')}`);
      });
    }
    await confirm('Sign out?', options);
    let upstream = 'none';
    let probe: string | undefined;
    if (item) {
      const reply = await agent(requestOf('revoke', { attributes: { id: item.id, reason: 'signed out' } }));
      // Nobody stays signed in because a service has no call for the end, or takes the token no more.
      const isLocal = ['unsupported', 'bad-request', 'interaction-required', 'expired', 'revoked'].includes(
        reply.status,
      );
      if (reply.status !== 'ok' && !isLocal) throw new CommandFailure(exitCodeOf(reply.status), reply.message);
      if (reply.status !== 'ok') {
        await ask(agent, 'erase', { target: targetOfItem(item), id: item.id, attributes: { purge: '1' } });
      }
      upstream = reply.status === 'ok' ? 'revoked' : `kept: ${reply.message}`;
      probe = detail(reply.details, 'probe');
    }
    for (const { path, bytes, mode } of clearings) writeWhole(path, bytes, mode);
    const cleared = clearings.map(({ path }) => path);
    const isAlive = probe === 'alive';
    const isRevoked = upstream === 'revoked';
    show(options.json, { revoked: isRevoked, removed: item !== undefined, cleared, upstream, probe }, (page) => {
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

function manifestOf(options: AuthOptions, held: Parameters<typeof servicePlace>[1]): Manifest | undefined {
  return options.service === undefined && options.for === undefined ? undefined : servicePlace(options, held).manifest;
}

/** The service's own files that hold a token, and what they would be without it. */
async function clearingsOf({ files = [] }: Manifest): Promise<Clearing[]> {
  const clearings = new Map<string, Clearing>();
  for (const { path: template, format, fields = {}, clearable } of files) {
    if (!clearable || format === 'binary') continue;
    for (const path of pathsOf(template, process.env)) {
      const clearing = await clearingOf(path, format, Object.values(fields), clearings.get(path));
      if (clearing) clearings.set(path, clearing);
    }
  }
  return [...clearings.values()];
}

/** One file, on the ground of what is to be taken out of it already. */
async function clearingOf(
  path: string,
  format: Format,
  pointers: readonly string[],
  before: Clearing | undefined,
): Promise<Clearing | undefined> {
  const opened = before ? undefined : openFile(path);
  if (opened && opened.status !== 'ok') return undefined;
  const bytes = before?.bytes ?? opened!.bytes;
  const read = await readLeaves(format, bytes);
  if (read.status !== 'ok') return undefined;
  const leaves = pointers.flatMap((pointer) => pick(read.leaves, pointer));
  if (leaves.length === 0) return undefined;
  const removed = await removeLeaves(
    format,
    bytes,
    leaves.map((leaf) => leaf.path),
  );
  if (removed.status !== 'ok') {
    throw new CommandFailure(1, `cannot take the token out of ${path}: ${removed.why}; nothing was changed`);
  }
  const names = leaves.map((leaf) => leaf.path.join('.'));
  const mode = before?.mode ?? opened!.stats.mode & 0o777;
  return { path, fields: [...(before?.fields ?? []), ...names], bytes: removed.bytes, mode };
}
