import type { SecretKeeper } from '../../../protocol/secret.ts';
import type { KeySource } from '../vault/vault-key.ts';
import { readKey, writeKey } from './item-key.ts';
import { itemsBy } from './items.ts';
import { type ChildOptions, KeyringProcess } from './keyring-process.ts';
import { VAULT_KEY_ITEM } from './names.ts';
import { unlockKeyring } from './unlock.ts';

export type KeySourceOptions = ChildOptions & {
  readonly keep: SecretKeeper;
  /** Milliseconds that a call may take. @default {CALL_DEADLINE} */
  readonly deadline?: number | undefined;
};

/**
 * A vault's key in one keyring item (service `keyhold`, account `vault`). Only its `unlock` prompts. Throws
 * `backend_locked`, `backend_hung`, `backend_absent` and `backend_failed`, the keyring's part each within a second.
 */
export function keyringKeySource(options: KeySourceOptions): KeySource {
  const { keep, deadline } = options;
  const burst = new KeyringProcess({ ...options, mayPrompt: false });
  return {
    read: () => readKey(itemsBy(burst, deadline), VAULT_KEY_ITEM, keep),
    write: (key) => writeKey(itemsBy(burst, deadline), VAULT_KEY_ITEM, key),
    unlock: () => unlockKeyring({ ...options, mayPrompt: true }),
  };
}
