import type { Held } from '../../backends/backend.ts';
import { isOwn } from '../../history/tombstones/own-records.ts';
import { inSlices } from '../../slices.ts';
import type { Entry, UnlockedSet } from '../unlocked/set.ts';

/** Takes in what rests, unless it is known already: from when its host was asked for, and newer if it was changed since. */
export function learn(set: UnlockedSet, held: Held): void {
  if (isOwn(held) || set.at(held)?.resting) return;
  set.know(held);
}

/** Takes in a list in the place of what was known to rest, and leaves in memory what is in memory. */
export async function learnAnew(set: UnlockedSet, all: readonly Held[]): Promise<void> {
  const listed = new Set<Entry>();
  await inSlices(all, (held) => {
    const known = set.at(held);
    listed.add(known?.resting && known.id === held.id ? known : set.know(held));
  });
  await inSlices([...set.all()], (entry) => {
    if (entry.resting && !listed.has(entry)) set.remove(entry);
  });
}
