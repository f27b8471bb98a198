import { randomBytes } from 'node:crypto';
import { linkSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { syncFolder, temporaryBeside } from '../../../platform/durable.ts';
import { identityOf } from '../../../protocol/credential.ts';
import type { Secret, SecretKeeper } from '../../../protocol/secret.ts';
import { isOwn } from '../../history/tombstones/own-records.ts';
import { inSlices, type Progress } from '../../slices.ts';
import type { Held } from '../backend.ts';
import { type IndexChange, openIndex } from './held-index.ts';
import type { KeyringItems } from './items.ts';
import { INDEX_KEY_ITEM, type ItemMeaning, meaningOf, VAULT_KEY_ITEM } from './names.ts';

/** Rows that are written in one transaction. */
const TOGETHER = 100;

/** How a rebuild ended: credentials that are held again, and items that could not be told or stand twice. */
export type Rebuilt = { readonly credentials: number; readonly left: number };

/**
 * Makes a lost index anew from the items of the keyring (ADR 0040). What only the index knew is lost: ids, labels, expiry, logins that
 * are refreshed, what belongs to a front, the restore bin and tombstones. The file gets its name when it is whole, so a
 * rebuild that is cut begins again. `begin` gives each page of the list a deadline of its own. Throws what the keyring throws.
 */
export async function rebuildIndex(
  begin: () => KeyringItems,
  { file, key, keep }: { readonly file: string; readonly key: Secret; readonly keep: SecretKeeper },
  progress?: Progress,
): Promise<Rebuilt> {
  const found = new Map<string, { held: Held; secret: number; refreshToken: number }>();
  let left = 0;
  for (let from = 0, total = 1; from < total; ) {
    const page = await begin().list(from);
    ({ total } = page);
    for (const { name, modified } of page.items) {
      const isKey = [INDEX_KEY_ITEM, VAULT_KEY_ITEM].some(({ service, account }) => {
        return service === name.service && account === name.account;
      });
      if (isKey) continue;
      const meaning = meaningOf(name);
      if (!meaning || !isTakenBack(meaning)) {
        left++;
        continue;
      }
      const identity = identityOf(meaning.target);
      const one = found.get(identity) ?? { held: heldAs(meaning, modified), secret: 0, refreshToken: 0 };
      one[meaning.is === 'secret' ? 'secret' : 'refreshToken']++;
      found.set(identity, one);
    }
    from = page.next;
    progress?.(Math.min(from, total), total);
  }
  // Two items with one name: it cannot be told which one is meant, and the keyring refuses to use either.
  const [whole, ambiguous] = [
    [...found.values()],
    [...found.values()].filter(({ secret, refreshToken }) => secret > 1 || refreshToken > 1),
  ];
  left += ambiguous.reduce((sum, { secret, refreshToken }) => sum + secret + refreshToken, 0);
  const rows = whole.filter((one) => !ambiguous.includes(one));
  await writeIndex(rows, { file, key, keep });
  return { credentials: rows.filter(({ held }) => !isOwn(held)).length, left };
}

async function writeIndex(
  rows: readonly { readonly held: Held; readonly secret: number; readonly refreshToken: number }[],
  { file, key, keep }: { readonly file: string; readonly key: Secret; readonly keep: SecretKeeper },
): Promise<void> {
  const temporary = temporaryBeside(file);
  try {
    const index = await openIndex({ file: temporary, key, keep });
    try {
      const changes = rows.map(({ held, secret, refreshToken }): IndexChange => {
        return {
          write: held,
          progress: { state: 'whole', items: { secret: secret > 0, refreshToken: refreshToken > 0 } },
        };
      });
      const batches = Array.from({ length: Math.ceil(changes.length / TOGETHER) }, (_, at) => {
        return changes.slice(at * TOGETHER, (at + 1) * TOGETHER);
      });
      await inSlices(batches, (batch) => index.apply(batch));
    } finally {
      index.close();
    }
    linkSync(temporary, file);
    syncFolder(dirname(file));
  } finally {
    for (const suffix of ['', '-wal', '-journal']) rmSync(temporary + suffix, { force: true });
  }
}

/** Of our own records the key of marks alone is worth anything without what the index knew of it. */
function isTakenBack({ target }: ItemMeaning): boolean {
  return !isOwn(target) || isOwn(target, 'mark-key');
}

function heldAs({ target }: ItemMeaning, modified: number): Held {
  const id = isOwn(target) && target.path ? target.path : randomBytes(10).toString('hex');
  return { ...target, id, storedAt: modified };
}
