import type { Index, Row } from './held-index.ts';
import type { KeyringItems } from './items.ts';
import { isMarked } from './marks.ts';
import { itemOf, refreshItemOf } from './names.ts';

/**
 * Names in one question after which of them exist. gnome-keyring compares each name with everything that it holds, so a question
 * must be short enough that its answer comes within the budget and far within a call's deadline, also on a busy machine.
 */
const BATCH = 8;
/** Milliseconds that looking for removed items may take at a start; what is beyond is noticed when it is asked for. */
const LOOK_BUDGET = 200;

/** Brings what a crash or a lost answer left in the middle to one end or the other, by what the keyring holds. */
export async function settle({ held, progress }: Row, index: Index, items: KeyringItems): Promise<void> {
  if (progress.state === 'whole') return;
  if (progress.state === 'removing') return forget({ held, progress }, index, items);
  const value = await items.get(itemOf(held));
  const present = value !== undefined;
  const landed = progress.secret === undefined ? !present : present && isMarked(progress.secret, value);
  value?.fill(0);
  if (landed) {
    const refreshToken = await holds(items, held, progress.refreshToken);
    if (!refreshToken) await items.remove(refreshItemOf(held));
    index.write(held, { state: 'whole', items: { secret: progress.secret !== undefined, refreshToken } });
    return;
  }
  // The secret is written first: where it did not land, the refresh token is still the one from before.
  const { was } = progress;
  if (was && was.items.secret === present) index.write(was.held, { state: 'whole', items: was.items });
  else if (was) await forget({ held, progress }, index, items);
  else index.drop(held);
}

/**
 * Settles every row, and drops those whose items the person removed with another program. `begin` gives each row a deadline of
 * its own: many rows in the middle make an opening longer, and do not make a healthy keyring a hung one.
 */
export async function reconcile(index: Index, begin: () => KeyringItems): Promise<void> {
  const until = performance.now() + LOOK_BUDGET;
  for (const row of index.rows()) await settle(row, index, begin());
  const withItem = index.rows().filter(({ progress }) => progress.state === 'whole' && progress.items.secret);
  for (let at = 0; at < withItem.length && performance.now() < until; at += BATCH) {
    const batch = withItem.slice(at, at + BATCH);
    const items = begin();
    const there = await items.exist(batch.map(({ held }) => itemOf(held)));
    for (const [i, row] of batch.entries()) if (!there[i]) await forget(row, index, items);
  }
}

/** Removes a credential's items, then its row. A crash in between leaves the row to be settled, never the items alone. */
export async function forget({ held, progress }: Row, index: Index, items: KeyringItems): Promise<void> {
  if (progress.state !== 'removing') index.write(held, { state: 'removing' });
  await items.remove(itemOf(held));
  await items.remove(refreshItemOf(held));
  index.drop(held);
}

async function holds(items: KeyringItems, held: Row['held'], mark: string | undefined): Promise<boolean> {
  if (mark === undefined) return false;
  const value = await items.get(refreshItemOf(held));
  const marked = value !== undefined && isMarked(mark, value);
  value?.fill(0);
  return marked;
}
