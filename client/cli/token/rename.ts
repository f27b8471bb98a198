import type { Command } from 'commander';
import { exitCodeOf } from '../../../protocol/status.ts';
import { printable, toWire } from '../../../protocol/text.ts';
import { ask, withAgent } from '../agent.ts';
import { CommandFailure } from '../failure.ts';
import { show } from '../page.ts';
import { addVerb, type VerbOptions } from '../verb.ts';
import { spoken, tokenItems } from './item.ts';
import { resolveToken } from './resolve.ts';

/** Characters of a label: it is shown in tables. */
const LABEL_MAX = 128;

/** `keyhold token rename`: another label, here only; the token stays as it is. */
export function addRename(token: Command): void {
  addVerb(token, 'rename <token> <label>', 'give it another label, here').action(rename);
}

async function rename(word: string, label: string, { json }: VerbOptions): Promise<void> {
  refuseLabel(label);
  const item = await withAgent(async (agent) => {
    const held = await tokenItems(agent);
    const found = resolveToken(word, held);
    const rival = held.find((one) => one.label === label && one.id !== found.id && one.service === found.service);
    if (rival) throw unfit(`there is one already: ${spoken(rival)}`);
    await ask(agent, 'annotate', { attributes: { id: found.id, label: toWire(label) } });
    return found;
  });
  show(json, { id: item.id, label, before: item.label }, (page) => page.line(`Renamed ${spoken(item)}: now ${label}.`));
}

/** Throws a `CommandFailure` with 2 for what could not be told from another label, or would steer a terminal. */
export function refuseLabel(label: string): void {
  if (label.trim() === '') throw unfit('it is empty');
  if ([...label].length > LABEL_MAX) throw unfit(`it is longer than ${LABEL_MAX} characters`);
  if (printable(label) !== label) throw unfit('it holds a character that steers a terminal');
}

function unfit(rule: string): CommandFailure {
  return new CommandFailure(exitCodeOf('bad-request'), printable(`cannot take this label: ${rule}`));
}
