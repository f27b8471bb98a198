import type { SecretKeeper } from '../../../protocol/secret.ts';
import type { KeySource } from '../vault/vault-key.ts';
import { Burst, type ChildOptions } from './burst.ts';
import { readKey, writeKey } from './item-key.ts';
import { itemsBy } from './items.ts';
import { VAULT_KEY_ITEM } from './names.ts';

/**
 * A vault's key in one keyring item (service `keyhold`, account `vault`). Never prompts (`unlockKeyring` does); throws `backend_locked`,
 * `backend_hung`, `backend_absent` and `backend_failed`, each within a second.
 */
export function keyringKeySource(options: ChildOptions & { readonly keep: SecretKeeper }): KeySource {
  const burst = new Burst({ ...options, mayPrompt: false });
  return {
    read: () => readKey(itemsBy(burst), VAULT_KEY_ITEM, options.keep),
    write: (key) => writeKey(itemsBy(burst), VAULT_KEY_ITEM, key),
  };
}
