import type { Command } from 'commander';
import { toWire } from '../../../protocol/text.ts';
import { ask, withAgent } from '../agent.ts';
import { canAsk, confirm } from '../confirm.ts';
import { CommandFailure } from '../failure.ts';
import { show } from '../page.ts';
import { localTime } from '../status.ts';
import { addDestructiveVerb, addTarget, type DestructiveOptions } from '../verb.ts';
import { erasedItems, matches, spoken, type TokenItem, targetOfItem, tokenItems } from './item.ts';
import { type Choice, chosenToken } from './resolve.ts';

type RestoreOptions = Choice & DestructiveOptions;

/** `keyhold token restore`: brings back what a tool erased. Where another token has its place by now, it asks. */
export function addRestore(token: Command): void {
  addTarget(addDestructiveVerb(token, 'restore [token]', 'bring back what a tool erased')).action(restore);
}

async function restore(word: string | undefined, options: RestoreOptions): Promise<void> {
  const { erased, held } = await withAgent(async (agent) => ({
    erased: await erasedItems(agent),
    held: await tokenItems(agent),
  }));
  const item = chosenToken({ ...options, word }, erased, 'keyhold token list --erased');
  const there = held.find((one) => isSamePlace(one, item));
  if (there) await mayReplace(item, there, options);
  const attributes = { id: toWire(item.id), replace: there ? '1' : undefined };
  await withAgent((agent) => ask(agent, 'erased-restore', { attributes }));
  const { id, label, protocol, host, username } = item;
  show(options.json, { restored: { id, label, protocol, host, username }, replaced: there !== undefined }, (page) => {
    page.line(`Restored ${spoken(item)}.`);
    if (there) page.line('The one that it replaces can be brought back: keyhold token list --erased', 'dim');
  });
}

async function mayReplace(item: TokenItem, there: TokenItem, options: RestoreOptions): Promise<void> {
  const what = `${spoken(there)}, kept since ${localTime(there.storedAt).slice(0, 10)}`;
  if (!options.yes && !canAsk(options.input)) {
    throw new CommandFailure(
      6,
      `cannot restore ${spoken(item)}: another one has its place; to replace it: keyhold token restore ${item.id} --yes`,
    );
  }
  await confirm(`Replace ${what}?`, options);
}

function isSamePlace(one: TokenItem, other: TokenItem): boolean {
  return matches(one, targetOfItem(other)) && one.path === other.path && one.username === other.username;
}
