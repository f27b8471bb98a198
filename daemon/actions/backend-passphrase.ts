import { KeyholdError } from '../../protocol/errors.ts';
import type { Backend } from '../backends/backend.ts';
import type { Vault } from '../backends/vault/file-vault.ts';
import type { KeyPlace } from '../backends/vault/vault-key.ts';
import { action, done } from './action.ts';
import type { Parts } from './parts.ts';

export const backendPassphrase = action(
  'backend-passphrase',
  ({ attributes }) => ({
    passphrase: attributes.secret('passphrase'),
    newPassphrase: attributes.secret('new_passphrase'),
    key: attributes.text('key'),
  }),
  async ({ passphrase, newPassphrase, key }, { credentials }: Pick<Parts, 'credentials'>) => {
    await credentials.lifecycle.settled();
    const { backend } = credentials.lifecycle;
    if (!backend || !isVault(backend)) {
      const name = backend?.name ?? 'no backend';
      throw new KeyholdError('unsupported', `cannot set a passphrase: ${name} has none of its own`);
    }
    await backend.setPassphrase(passphrase, newPassphrase, keyPlaceOf(key));
    credentials.leases.beginKey();
    return done;
  },
);

/** Told by the name, because the vault's own module is loaded only where a vault is used. */
export function isVault(backend: Backend): backend is Vault {
  return backend.name === 'vault';
}

/** Where the vault's key shall rest without a passphrase. */
function keyPlaceOf(key: string | undefined): KeyPlace | undefined {
  if (key === undefined) return undefined;
  if (key === 'file') return 'key-file';
  if (key === 'keyring') return 'key-source';
  throw new KeyholdError('bad_request', 'cannot put the key there: key is file or keyring');
}
