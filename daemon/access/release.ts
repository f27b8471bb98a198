import { KeyholdError } from '../../protocol/errors.ts';
import type { Permission } from '../../protocol/wire/actions.ts';
import type { Secrets } from '../backends/backend.ts';
import type { Values } from '../credentials/held/values.ts';
import type { Entry } from '../credentials/unlocked/set.ts';
import type { Caller } from '../socket/caller.ts';
import { permit } from './permit.ts';

/**
 * What a value is handed out for, the permission that it takes, and how it comes. `lent`: as it lies in memory, to be used before
 * the next await; throws where it is not there. The others are copies, which the taker disposes of, and undefined if the value is gone:
 * `copied` is read into memory first where it is not there, `aside` is read past the memory, and `at-rest` is what the backend
 * has now, which another program may have put there.
 */
const purposes = {
  /** The answer to a get. */
  reply: { takes: 'use', comes: 'lent' },
  /** Comparing what a tool stores or erases with what is in memory. */
  match: { takes: 'use', comes: 'lent' },
  /** Comparing with a value that the caller has. */
  compare: { takes: 'use', comes: 'aside' },
  /** A call of the service that the token is for, made by the upstream child. */
  call: { takes: 'change', comes: 'copied' },
  /** A refresh of a login at its provider. */
  refresh: { takes: 'change', comes: 'aside' },
  /** Comparing with what rests, which another program may have put there, and taking that over. */
  settle: { takes: 'change', comes: 'at-rest' },
  /** The mark by which a dead token is recognised: a keyed hash. */
  mark: { takes: 'change', comes: 'copied' },
  /** The same value under another key, or beside the credential while it is rotated. */
  move: { takes: 'change', comes: 'copied' },
  /** A sealed backup. */
  backup: { takes: 'admin', comes: 'aside' },
  /** Another backend. */
  migrate: { takes: 'admin', comes: 'aside' },
} as const satisfies Record<
  string,
  { readonly takes: Permission; readonly comes: 'lent' | 'copied' | 'aside' | 'at-rest' }
>;

export type Purpose = keyof typeof purposes;
/** The purposes for which a value is lent. */
export type LendingPurpose = { [P in Purpose]: (typeof purposes)[P]['comes'] extends 'lent' ? P : never }[Purpose];

/** Where the values are: credentials/held/values.ts. Nothing else calls these (test/architecture.test.ts). */
export type ValueSource = Pick<Values, 'secretsInMemory' | 'secretsOf' | 'secretsAside' | 'secretsAtRest'>;

/**
 * The one door to secrets: hands out what is held for `entry` to a caller for a purpose. Throws `denied` where the caller may not
 * have it, and what the backend throws. The audit record is written by who answers the caller (audit/witness.ts).
 */
export function release(source: ValueSource, entry: Entry, caller: Caller, purpose: LendingPurpose): Secrets;
export function release(
  source: ValueSource,
  entry: Entry,
  caller: Caller,
  purpose: Exclude<Purpose, LendingPurpose>,
): Promise<Secrets | undefined>;
export function release(
  source: ValueSource,
  entry: Entry,
  caller: Caller,
  purpose: Purpose,
): Secrets | Promise<Secrets | undefined> {
  const { takes, comes } = purposes[purpose];
  if (permit(caller, takes, entry) !== 'yes')
    throw new KeyholdError('denied', 'cannot use the credential: not allowed');
  switch (comes) {
    case 'lent':
      return source.secretsInMemory(entry);
    case 'copied':
      return source.secretsOf(entry);
    case 'aside':
      return source.secretsAside(entry);
    case 'at-rest':
      return source.secretsAtRest(entry);
  }
}
