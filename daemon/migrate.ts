import { KeyholdError } from '../protocol/errors.ts';
import type { Secret } from '../protocol/secret.ts';
import type { Backend, Held } from './backends/backend.ts';
import { disposeSecrets } from './backends/secrets.ts';
import type { Custody } from './custody.ts';
import type { Log } from './log.ts';
import { isValue } from './tombstones/own-records.ts';

/**
 * Carries what rests in one backend to another and uses that from now on; `beforeFarewell` is called when every copy
 * has read back the same, before the old ones are removed. Requests wait meanwhile. If it throws, nothing has changed.
 * Answers how many were carried, and how many the old backend did not let go of; what is held in memory only stays.
 */
export async function migrate(
  custody: Custody,
  next: Backend,
  beforeFarewell: () => void,
  log: Log,
): Promise<{ readonly carried: number; readonly left: number }> {
  const carried: Held[] = [];
  const own: Held[] = [];
  let before: Backend | undefined;
  let fault: unknown;
  await custody.replace(async (old) => {
    before = old;
    try {
      await carryOwn(custody, old, next, own);
      await carry(custody, next, carried);
      beforeFarewell();
      return next;
    } catch (error) {
      fault = error;
      for (const held of [...carried, ...own]) await next.remove(held).catch(() => {});
      return old;
    }
  });
  if (fault) throw fault;
  return { carried: carried.length, left: await bidFarewell(before!, carried, own, log) };
}

/** The records of our own come first: what is carried half is then still marked by the key that it was marked with. */
async function carryOwn(custody: Custody, old: Backend, next: Backend, carried: Held[]): Promise<void> {
  for (const held of custody.own.all()) {
    const secrets = await old.get(held);
    if (!secrets) continue;
    try {
      await next.put(held, secrets);
      carried.push(held);
    } finally {
      disposeSecrets(secrets);
    }
  }
}

async function carry(custody: Custody, next: Backend, carried: Held[]): Promise<void> {
  for (const { resting } of [...custody.held()]) {
    const secrets = resting && (await custody.secretsOf(resting));
    if (!secrets) continue;
    try {
      await next.put(resting, secrets);
      carried.push(resting);
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
}

/** From here on the copies elsewhere are what counts, so a backend that keeps its own is a pity and no failure. */
async function bidFarewell(before: Backend, carried: readonly Held[], own: readonly Held[], log: Log): Promise<number> {
  let left = 0;
  for (const held of carried) {
    await before.remove(held).catch(() => {
      left++;
    });
  }
  for (const held of own) {
    await before.remove(held).catch(() => {
      // A value that stays would never be deleted; the others are not worth a word.
      if (isValue(held)) left++;
    });
  }
  await before.dispose().catch(() => {});
  if (left > 0) log('farewell-failed', { backend: before.name, count: left });
  return left;
}

function equal(one: Secret | undefined, other: Secret | undefined): boolean {
  return one === undefined || other === undefined ? one === other : one.equals(other);
}
