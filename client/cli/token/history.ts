import type { Command } from 'commander';
import { withAgent } from '../agent.ts';
import { drawEntries, entriesOf, PAGE } from '../audit.ts';
import { show } from '../page.ts';
import { addTarget, addVerb, type VerbOptions } from '../verb.ts';
import { deletedItems, formerItems, spoken, tokenItems } from './item.ts';
import { type Choice, heldOrDeleted } from './resolve.ts';

/** `keyhold token history`: what the audit log says of one token, also of one that was revoked since. */
export function addHistory(token: Command): void {
  addTarget(addVerb(token, 'history [token]', 'what the audit log says of one')).action(history);
}

async function history(word: string | undefined, { json, ...choice }: Choice & VerbOptions): Promise<void> {
  const { item, items } = await withAgent(async (agent) => {
    const held = await tokenItems(agent);
    const found = heldOrDeleted({ ...choice, word }, held, formerItems(held, await deletedItems(agent)));
    return { item: found, items: await entriesOf(agent, { credential: found.id }, PAGE) };
  });
  show(json, { id: item.id, label: item.label, items }, (page) => {
    page.line(`The history of ${spoken(item)}:`);
    if (items.length === 0) page.line('Nothing is recorded; the audit log keeps what is younger than audit.keep says.');
    else drawEntries(page, items, new Map([[item.id, item.label ?? item.username ?? item.host]]));
  });
}
