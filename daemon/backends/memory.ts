import { identityOf } from '../../protocol/credential.ts';
import { KeyholdError } from '../../protocol/errors.ts';
import type { SecretKeeper } from '../../protocol/secret.ts';
import type { Backend, Held, Secrets } from './backend.ts';
import { copySecrets, disposeSecrets } from './secrets.ts';

/**
 * The backend where nothing rests anywhere: what is put goes with the process. It is what the other backends are
 * compared with. It has no key: `lock` forgets everything, because all that it has is in memory.
 */
export async function openMemory({ keep }: { readonly keep: SecretKeeper }): Promise<Backend> {
  const resting = new Map<string, { readonly held: Held; readonly secrets: Secrets }>();
  let disposed = false;

  const forget = () => {
    for (const { secrets } of resting.values()) disposeSecrets(secrets);
    resting.clear();
  };
  const refuseDisposed = () => {
    if (disposed) throw new KeyholdError('closed', 'cannot use the memory backend: it was closed');
  };

  return {
    name: 'memory',
    durable: false,
    needsPassphrase: false,
    degradations: () => [],

    async list() {
      refuseDisposed();
      return [...resting.values()].map(({ held }) => held);
    },

    async get(held) {
      refuseDisposed();
      const found = resting.get(identityOf(held));
      return found && copySecrets(found.secrets, keep);
    },

    async put(held, secrets) {
      refuseDisposed();
      const identity = identityOf(held);
      const copies = copySecrets(secrets, keep);
      const replaced = resting.get(identity);
      resting.set(identity, { held, secrets: copies });
      if (replaced) disposeSecrets(replaced.secrets);
    },

    async annotate(held) {
      refuseDisposed();
      const identity = identityOf(held);
      const found = resting.get(identity);
      if (found) resting.set(identity, { held, secrets: found.secrets });
    },

    async remove(held) {
      refuseDisposed();
      const identity = identityOf(held);
      const found = resting.get(identity);
      if (found) disposeSecrets(found.secrets);
      resting.delete(identity);
    },

    async move(from, to) {
      refuseDisposed();
      const found = resting.get(identityOf(from));
      if (!found) return false;
      resting.delete(identityOf(from));
      const replaced = resting.get(identityOf(to));
      resting.set(identityOf(to), { held: to, secrets: found.secrets });
      if (replaced) disposeSecrets(replaced.secrets);
      return true;
    },

    async unlock() {
      refuseDisposed();
    },
    lock() {
      forget();
    },

    async dispose() {
      disposed = true;
      forget();
    },
  };
}
