import { existsSync } from 'node:fs';
import { KeyholdError } from '../../../protocol/errors.ts';
import type { SecretKeeper } from '../../../protocol/secret.ts';
import type { Progress } from '../../slices.ts';
import { type Index, openIndex } from './held-index.ts';
import { readKey, readOrMakeKey } from './item-key.ts';
import type { KeyringItems } from './items.ts';
import { INDEX_KEY_ITEM } from './names.ts';
import { type Rebuilt, rebuildIndex } from './rebuild.ts';

export type IndexPlace = {
  readonly file: string;
  readonly keep: SecretKeeper;
  /** Whether credentials rested in the keyring when this agent started: then a file that is missing was lost. */
  readonly isExpected?: boolean | undefined;
};

/**
 * Opens the index with the key that rests in the keyring, and makes both where there are none. Where credentials rested in this
 * keyring before, and the file is gone, it is made anew from the items, and `onRebuilt` is told how that ended. Throws
 * `vault_key_missing` for an index without its key: a fresh key would only hide what is wrong.
 */
export async function openIndexWith(
  begin: () => KeyringItems,
  { file, keep, isExpected }: IndexPlace,
  onRebuilt: (rebuilt: Rebuilt) => void,
  progress?: Progress,
): Promise<Index> {
  const isThere = existsSync(file);
  const known = isThere || isExpected ? await readKey(begin(), INDEX_KEY_ITEM, keep) : undefined;
  if (!isThere && known) {
    try {
      onRebuilt(await rebuildIndex(begin, { file, key: known, keep }, progress));
    } catch (error) {
      known.dispose();
      throw error;
    }
  }
  const key = isThere ? known : (known ?? (await readOrMakeKey(begin(), INDEX_KEY_ITEM, keep)));
  if (!key) {
    throw new KeyholdError(
      'vault_key_missing',
      `cannot open ${file}: its key is not in this keyring; open the keyring that has it, or move the file away`,
    );
  }
  try {
    return await openIndex({ file, key, keep });
  } catch (error) {
    throw isDamage(error) ? damaged(file) : error;
  } finally {
    key.dispose();
  }
}

function isDamage(error: unknown): boolean {
  return error instanceof KeyholdError && (error.code === 'vault_corrupt' || error.code === 'vault_truncated');
}

/** It is not replaced by itself: what only the index knows would be lost, and it may still be mended. */
function damaged(file: string): KeyholdError {
  const how = `mv ${file} ${file}.damaged && keyhold restart`;
  return new KeyholdError(
    'vault_corrupt',
    `cannot open ${file}: it is damaged; to have it made anew from the items of the keyring, run: ${how}`,
  );
}
