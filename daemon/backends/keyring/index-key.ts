import { existsSync } from 'node:fs';
import { KeyholdError } from '../../../protocol/errors.ts';
import type { SecretKeeper } from '../../../protocol/secret.ts';
import { type Index, openIndex } from './held-index.ts';
import { readKey, readOrMakeKey } from './item-key.ts';
import type { KeyringItems } from './items.ts';
import { INDEX_KEY_ITEM } from './names.ts';

/**
 * Opens the index with the key that rests in the keyring, and makes both where there are none. Throws
 * `vault_key_missing` for an index without its key: a fresh key would only hide what is wrong.
 */
export async function openIndexWith(
  items: KeyringItems,
  { file, keep }: { readonly file: string; readonly keep: SecretKeeper },
): Promise<Index> {
  const key = existsSync(file)
    ? await readKey(items, INDEX_KEY_ITEM, keep)
    : await readOrMakeKey(items, INDEX_KEY_ITEM, keep);
  if (!key) {
    throw new KeyholdError(
      'vault_key_missing',
      `cannot open ${file}: its key is not in this keyring; open the keyring that has it, or move the file away`,
    );
  }
  try {
    return await openIndex({ file, key, keep });
  } finally {
    key.dispose();
  }
}
