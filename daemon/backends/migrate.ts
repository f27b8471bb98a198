import { KeyholdError } from '../../protocol/errors.ts';
import type { Secret } from '../../protocol/secret.ts';
import { release } from '../access/release.ts';
import type { CredentialStore } from '../credentials/held/credential-store.ts';
import type { Entry } from '../credentials/unlocked/set.ts';
import type { Emit } from '../events/agent-event.ts';
import { isOwn, isValue } from '../history/tombstones/own-records.ts';
import { filterInSlices, Slices, setInSlices } from '../slices.ts';
import type { Caller } from '../socket/caller.ts';
import type { Backend, Held, Secrets } from './backend.ts';
import { MemoryOver } from './memory-over.ts';
import { disposeSecrets } from './secrets.ts';

/** Credentials that are carried together: the vault waits for the disk once for all of them. */
const TOGETHER = 32;

/** What a migrate tells before and after each step that a cut must not tear apart. Each is durable when it settles. */
export type MigrateSteps = {
  /** Before the first copy. `kept`: what the new backend has that is no copy of what rests in the old one. */
  begin(kept: readonly Held[]): Promise<void>;
  /** Every copy has read back the same: the new backend counts from here on. `kept`: what was not carried. */
  commit(kept: readonly Held[]): Promise<void>;
  /** The new backend is the memory: the copies in the old one stay for a day. */
  keep(over: MemoryOver): Promise<void>;
  /** No copy is left in the backend that is not in use. */
  end(): void;
};

/** How a migrate ended. */
export type Migrated = {
  readonly carried: number;
  /** Credentials that the old backend still has: their copies could not be removed there. */
  readonly notRemoved: readonly Held[];
  /** Credentials that stay in the old backend alone, because their records are damaged. */
  readonly notCarried: readonly Held[];
};

/**
 * Carries what rests in one backend to another and uses that from now on. Changes wait meanwhile, gets are answered. If it throws, the old
 * backend is in use and whole. Answers how many were carried, and what stays in the old backend; what is held
 * in memory only stays. What the new backend held for the same target is replaced. Into the memory nothing is removed where it was: it
 * can be undone (memory-over.ts).
 */
export async function migrate(
  credentials: Pick<CredentialStore, 'entries' | 'lifecycle' | 'own' | 'values'>,
  next: Backend,
  steps: MigrateSteps,
  emit: Emit,
  caller: Caller,
): Promise<Migrated> {
  /** Every copy that was made: our own records first, then the credentials. */
  const copies: Held[] = [];
  let own = 0;
  let before: Backend | undefined;
  /** Ids that the new backend had before: carrying back to it replaces them by the same value. */
  let known: ReadonlySet<string> = new Set();
  let over: MemoryOver | undefined;
  let notCarried: readonly Held[] = [];
  let fault: unknown;
  await credentials.lifecycle.replace(async (old) => {
    before = old;
    let begun = false;
    try {
      const resting = await old.list();
      const ids = await setInSlices(resting, ({ id }) => id);
      const there = await next.list();
      const strangers = await filterInSlices(there, ({ id }) => !ids.has(id));
      known = await setInSlices(there, ({ id }) => id);
      begun = true;
      await steps.begin(strangers);
      await carryOwn(credentials, old, next, copies);
      own = copies.length;
      await carry(credentials, next, copies, caller);
      if (next.name === 'memory' && copies.length > own) {
        over = await MemoryOver.begin(next, old, copies);
        await steps.keep(over);
        return over;
      }
      const gone = await setInSlices(copies, ({ id }) => id);
      const staying = await filterInSlices(resting, ({ id }) => !gone.has(id));
      notCarried = await filterInSlices(staying, (held) => !isOwn(held));
      await steps.commit(staying);
      return next;
    } catch (error) {
      fault = error;
      if (begun) await takeBack(next, await filterInSlices(copies, ({ id }) => !known.has(id)), steps);
      return old;
    }
  });
  if (fault) throw fault;
  const carried = copies.length - own;
  if (over) return { carried, notRemoved: [], notCarried };
  const left = await bidFarewell(before!, copies, emit);
  if (left.length === 0) steps.end();
  return { carried, notRemoved: await filterInSlices(left, (held) => !isOwn(held)), notCarried };
}

/** Removes the copies that were made. Where one stays, so does the journal, which says what is still to do. */
async function takeBack(next: Backend, copies: readonly Held[], steps: MigrateSteps): Promise<void> {
  let left = 0;
  await removeAll(next, copies, () => {
    left++;
  });
  if (left === 0) steps.end();
}

/** The records of our own come first: what is carried half is then still marked by the key that it was marked with. */
async function carryOwn(
  credentials: Pick<CredentialStore, 'own'>,
  old: Backend,
  next: Backend,
  copies: Held[],
): Promise<void> {
  for (const held of credentials.own.all()) {
    const secrets = await old.get(held);
    if (!secrets) continue;
    try {
      // Noted first: a put that throws may have happened all the same.
      copies.push(held);
      await next.put(held, secrets);
    } finally {
      disposeSecrets(secrets);
    }
  }
}

async function carry(
  credentials: Pick<CredentialStore, 'entries' | 'lifecycle' | 'values'>,
  next: Backend,
  copies: Held[],
  caller: Caller,
): Promise<void> {
  const entries = [...credentials.entries.all()];
  const slices = new Slices();
  for (let at = 0; at < entries.length; at += TOGETHER) {
    // A lock ends it: what was carried is taken back.
    credentials.lifecycle.refuseLocked('carry');
    const some = entries.slice(at, at + TOGETHER);
    await allOf(some.map((entry) => carryOne(credentials, entry, next, copies, caller)));
    credentials.lifecycle.report({ what: 'migrate', done: at + some.length, total: entries.length });
    await slices.next();
  }
}

async function carryOne(
  credentials: Pick<CredentialStore, 'values'>,
  entry: Entry,
  next: Backend,
  copies: Held[],
  caller: Caller,
): Promise<void> {
  const { resting } = entry;
  const secrets = resting && (await secretsUnlessDamaged(credentials, entry, caller));
  if (!secrets) return;
  try {
    copies.push(resting);
    await next.put(resting, secrets);
    const back = await next.get(resting);
    const isWhole =
      back !== undefined && equal(back.secret, secrets.secret) && equal(back.refreshToken, secrets.refreshToken);
    if (back) disposeSecrets(back);
    if (!isWhole)
      throw new KeyholdError('backend_failed', `cannot carry to ${next.name}: a copy did not read back the same`);
  } finally {
    disposeSecrets(secrets);
  }
}

/** A record that is damaged stays where it is and costs no other; the journal has it among those that were not carried. */
async function secretsUnlessDamaged(
  credentials: Pick<CredentialStore, 'values'>,
  entry: Entry,
  caller: Caller,
): Promise<Secrets | undefined> {
  try {
    return await release(credentials.values, entry, caller, 'migrate');
  } catch (error) {
    if (error instanceof KeyholdError && error.code === 'vault_corrupt') return undefined;
    throw error;
  }
}

/** Waits for all, and throws what the first one of them threw that failed. */
async function allOf(works: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(works)).find(({ status }) => status === 'rejected');
  if (failed) throw (failed as PromiseRejectedResult).reason;
}

/** From here on the copies elsewhere are what counts, so a backend that keeps its own is a pity and no failure. */
async function bidFarewell(before: Backend, copies: readonly Held[], emit: Emit): Promise<readonly Held[]> {
  const left: Held[] = [];
  await removeAll(before, copies, (held) => {
    // Of our own records a value that stays would never be deleted; the others are not worth a word.
    if (!isOwn(held) || isValue(held)) left.push(held);
  });
  await before.dispose().catch(() => {});
  if (left.length > 0) emit({ kind: 'farewell-failed', backend: before.name, count: left.length });
  return left;
}

async function removeAll(backend: Backend, all: readonly Held[], onLeft: (held: Held) => void): Promise<void> {
  const slices = new Slices();
  for (let at = 0; at < all.length; at += TOGETHER) {
    await Promise.all(all.slice(at, at + TOGETHER).map((held) => backend.remove(held).catch(() => onLeft(held))));
    await slices.next();
  }
}

function equal(one: Secret | undefined, other: Secret | undefined): boolean {
  return one === undefined || other === undefined ? one === other : one.equals(other);
}
