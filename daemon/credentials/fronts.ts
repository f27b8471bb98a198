import type { Held } from '../backends/backend.ts';

/** Which credentials a front may list, erase and is answered first (DESIGN.md §2). Pure: values in, values out. */

type Marks = Pick<Held, 'front' | 'fronts' | 'frontOnly'>;

/** Whether a front lists it: it came in through that front, or was given to it. What is not decided is not listed. */
export function isListedBy(held: Marks, front: string): boolean {
  if (held.front !== undefined) return held.front === front;
  return held.fronts?.includes(front) ?? false;
}

/** Whether only fronts have brought it. */
export function isFrontsAlone({ front, frontOnly }: Marks): boolean {
  return front !== undefined || frontOnly === true;
}

/**
 * How near a credential is to a caller, 0 the nearest: among several that a request may be answered with, each front is
 * answered its own first, and every other tool what is not a front's alone. No caller is refused any of them.
 */
export function rankFor(front: string | undefined, held: Marks): 0 | 1 | 2 {
  if (front === undefined) return isFrontsAlone(held) ? 1 : 0;
  if (held.front === front) return 0;
  return isListedBy(held, front) ? 1 : 2;
}

/** The largest that `rankFor` answers. */
export const FARTHEST = 2;

/** What is left when a front erases one that it lists: the marks that stay, or `gone` with the last of them. */
export function withoutFront(held: Marks, front: string): 'gone' | { readonly fronts: readonly string[] } {
  if (held.front === front) return 'gone';
  const fronts = (held.fronts ?? []).filter((one) => one !== front);
  return held.frontOnly && fronts.length === 0 ? 'gone' : { fronts };
}

/** Where a store goes: in the place of what is kept for the target, in the place that is the front's own, or … */
export type Placing =
  /** … the same value is kept there: it gets the mark. */
  | { readonly to: 'marked' }
  | { readonly to: 'target'; readonly fronts: readonly string[] | undefined; readonly frontOnly?: boolean | undefined }
  | { readonly to: 'own' }
  /** … the target, and what a front alone has kept there becomes that front's own first. */
  | { readonly to: 'target-after-move'; readonly owner: string };

/**
 * Decides it. `before` is kept for exactly that target and `hasOwn` says whether the front keeps a value of its own beside
 * it. A front never replaces another tool's value, nor another tool a front's: only what the user does replaces both.
 */
export function placingOf(
  { front, isUsers }: { readonly front: string | undefined; readonly isUsers: boolean },
  before: Marks | undefined,
  isSameValue: boolean,
  hasOwn: boolean,
): Placing {
  if (front !== undefined) {
    if (before && isSameValue) return { to: 'marked' };
    const isTheirs = before?.frontOnly === true && before.fronts?.every((one) => one === front);
    if (!before && hasOwn) return { to: 'own' };
    if (!before || isTheirs) return { to: 'target', fronts: [front], frontOnly: true };
    return { to: 'own' };
  }
  const owner = before?.fronts?.[0];
  if (before?.frontOnly && owner !== undefined && !isSameValue && !isUsers) return { to: 'target-after-move', owner };
  return { to: 'target', fronts: before ? before.fronts : [] };
}
