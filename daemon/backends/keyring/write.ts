import { expose } from '../../../protocol/secret.ts';
import type { Held, Secrets } from '../backend.ts';
import type { Index, IndexChange, Items, Progress, Row } from './held-index.ts';
import { changedNothing, type KeyringItems } from './items.ts';
import { markOf } from './marks.ts';
import { type ItemName, itemOf, refreshItemOf } from './names.ts';
import { settle } from './settle.ts';

/** A row that is whole. */
export type Whole = { readonly held: Held; readonly items: Items };

/** What stands for a target once nothing about it is in the middle; undefined if nothing does. */
export async function settled(held: Held, index: Index, items: KeyringItems): Promise<Whole | undefined> {
  const row = index.find(held);
  if (row) await settle(row, index, items);
  const now: Row | undefined = index.find(held);
  return now?.progress.state === 'whole' ? { held: now.held, items: now.progress.items } : undefined;
}

/** The bytes of both secrets, for the caller to wipe. */
export type Values = { readonly secret: Uint8Array | undefined; readonly refreshToken: Uint8Array | undefined };

export function exposeBoth({ secret, refreshToken }: Secrets): Values {
  return { secret: secret && expose(secret), refreshToken: refreshToken && expose(refreshToken) };
}

export function wipeBoth({ secret, refreshToken }: Values): void {
  secret?.fill(0);
  refreshToken?.fill(0);
}

/** Writes the row, then the items, then the row again, and with that `also`. */
export async function write(
  held: Held,
  { secret, refreshToken }: Values,
  index: Index,
  items: KeyringItems,
  also: readonly IndexChange[] = [],
): Promise<void> {
  const was = await settled(held, index, items);
  index.write(held, {
    state: 'putting',
    secret: secret && markOf(secret),
    refreshToken: refreshToken && markOf(refreshToken),
    was,
  });
  let begun = false;
  try {
    await replace(items, itemOf(held), secret, was?.items.secret);
    begun = true;
    await replace(items, refreshItemOf(held), refreshToken, was?.items.refreshToken);
  } catch (error) {
    if (!begun && changedNothing(error)) {
      if (was) index.write(was.held, { state: 'whole', items: was.items });
      else index.drop(held);
    }
    throw error;
  }
  const whole: Progress = {
    state: 'whole',
    items: { secret: secret !== undefined, refreshToken: refreshToken !== undefined },
  };
  index.apply([{ write: held, progress: whole }, ...also]);
}

async function replace(items: KeyringItems, name: ItemName, value: Uint8Array | undefined, had = false): Promise<void> {
  if (value !== undefined) await items.set(name, value);
  else if (had) await items.remove(name);
}
