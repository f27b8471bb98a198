import { userInfo } from 'node:os';
import type { Command } from 'commander';
import { exitCodeOf } from '../../../protocol/status.ts';
import { toWire } from '../../../protocol/text.ts';
import type { Connection } from '../../dial.ts';
import { readCatalogue } from '../../services/catalogue.ts';
import { ask, detail, withAgent } from '../agent.ts';
import { confirm } from '../confirm.ts';
import { CommandFailure } from '../failure.ts';
import { remark, show } from '../page.ts';
import { addDestructiveVerb, addTarget, type DestructiveOptions } from '../verb.ts';
import { contextsHere } from './contexts-here.ts';
import { erasedItems, spoken, type TokenItem, targetOfItem, tokenItems } from './item.ts';
import { type Choice, chosenTokens } from './resolve.ts';

type RemoveOptions = Choice & DestructiveOptions & { readonly reason?: string; readonly revoked?: boolean };

/**
 * `keyhold token remove`: here only; the service is not told. With `--revoked` the person says that it was revoked there:
 * then a tombstone remains. Which ones may be left to the working directory.
 */
export function addRemove(token: Command): void {
  addTarget(addDestructiveVerb(token, 'remove [tokens...]', 'forget them here, in memory and at rest'))
    .option('--reason <text>', 'why, for the audit log')
    .option('--revoked', 'they were revoked at the service: remember them as dead')
    .action(remove);
}

async function remove(words: readonly string[], { json, reason, revoked, ...options }: RemoveOptions): Promise<void> {
  const held = await withAgent(tokenItems);
  const choices = words.length === 0 ? [hereUnlessSaid(options)] : words.map((word) => ({ ...options, word }));
  const found: TokenItem[] = [];
  for (const choice of choices) found.push(...(await chosenAmong(choice, held, revoked)));
  const chosen = [...new Set(found)];
  await confirm(questionOf(chosen, revoked), options);
  const removed = await withAgent(async (agent) => {
    let count = 0;
    for (const item of chosen) count += await removeOne(agent, item, reason, revoked);
    return count;
  });
  show(
    json,
    { removed, tokens: chosen.map(({ id, label, protocol, host }) => ({ id, label, protocol, host })) },
    (page) => {
      const what = chosen.length === 1 ? spoken(chosen[0]!) : `${removed} tokens`;
      page.line(revoked ? `Removed ${what}; remembered as revoked.` : `Removed ${what}.`);
      if (!revoked) page.line('The service still takes what it does not know to be dead: revoke it there, too.', 'dim');
    },
  );
}

/** What a choice means of what is held; where that is nothing, of what lies in the restore bin: that goes for good as well. */
async function chosenAmong(choice: Choice, held: readonly TokenItem[], revoked = false): Promise<TokenItem[]> {
  try {
    return chosenTokens(choice, held);
  } catch (error) {
    if (revoked || !(error instanceof CommandFailure) || error.exitCode !== exitCodeOf('not-found')) throw error;
    const erased = await withAgent(erasedItems);
    try {
      return chosenTokens(choice, erased);
    } catch {
      throw error;
    }
  }
}

/** What nobody named is the server that the working directory speaks of, where it speaks of one. */
function hereUnlessSaid<T extends Choice>(options: T): T {
  if (options.for !== undefined) return options;
  const [context, another] = contextsHere(readCatalogue().manifests).found;
  if (!context || another) return options;
  remark(`keyhold: for ${context.url} (${context.manifest.title}), as ${context.from} says`);
  return { ...options, for: context.url };
}

function questionOf(chosen: readonly TokenItem[], revoked: boolean | undefined): string {
  const what = chosen.length === 1 ? spoken(chosen[0]!) : `all ${chosen.length} tokens`;
  return revoked ? `Was it revoked at the service? Remove ${what}, for good?` : `Remove ${what}?`;
}

async function removeOne(
  agent: Connection,
  item: TokenItem,
  reason: string | undefined,
  revoked: boolean | undefined,
): Promise<number> {
  const why = reason === undefined ? undefined : toWire(reason);
  if (revoked) {
    await ask(agent, 'bury', { attributes: { id: item.id, reason: why, actor: toWire(userInfo().username) } });
    return 1;
  }
  const { details } = await ask(agent, 'erase', {
    target: targetOfItem(item),
    id: item.id,
    // For good: a person who removes a token does not want it in the restore bin.
    attributes: { reason: why, purge: '1' },
  });
  return Number(detail(details, 'erased') ?? 1) || Number(detail(details, 'purged') ?? 0);
}
